"""Leaving a collector alone that is in trouble: as long as it asks for, else longer after each failure.

    not-before    url = ..., not_before = SECONDS, failures = N (in a row)    0600

Without a Retry-After the time is random between 0 and a bound that doubles (full jitter): a fleet that failed
together does not come back together.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Optional

from telemetry_client.state import whole_number

if TYPE_CHECKING:
    from telemetry_client.state import State

MAX_WAIT_SECONDS = 24 * 3600
_FIRST_BOUND_SECONDS = 60
_LAST_BOUND_SECONDS = 6 * 3600
# From here on the bound is the last one; the number itself may grow on.
_MOST_DOUBLINGS = 12
_FILE = "not-before"


def seconds_to_wait(state: State, url: str, now: float) -> float:
    """How long the collector at `url` still is to be left alone; 0 when it may be asked."""
    values = state.values(_FILE)
    if values.get("url") != url:
        return 0.0
    left = whole_number(values.get("not_before", "")) - now
    # Longer than the cap means that the clock was set back since.
    return left if 0 < left <= MAX_WAIT_SECONDS else 0.0


def begin_pause(state: State, url: str, retry_after: Optional[float], now: float, chance: float) -> None:
    """Remembers one more failure of the collector at `url`. chance: random, from 0 to 1."""
    values = state.values(_FILE)
    before = whole_number(values.get("failures", "")) if values.get("url") == url else 0
    failures = min(before + 1, 10**9)
    seconds = chance * bound_seconds(failures) if retry_after is None else max(retry_after, 0.0)
    until = int(now + min(seconds, MAX_WAIT_SECONDS))
    state.try_write(_FILE, f"url = {shlex.quote(url)}\nnot_before = {until}\nfailures = {failures}\n", 0o600)


def bound_seconds(failures: int) -> int:
    """The longest pause after this many failures in a row."""
    return min(_LAST_BOUND_SECONDS, _FIRST_BOUND_SECONDS << min(failures - 1, _MOST_DOUBLINGS))


def end_pause(state: State) -> None:
    """The collector answered: nothing is held against it any more."""
    state.remove(_FILE)
