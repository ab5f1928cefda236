"""From when to when a quarter's pepper is here.

Made two weeks before its quarter where one machine is alone with its engine (of several, by hand: `collector pepper
make`). Destroyed once the quarter is over and nothing that was made under it is left: no received and no counted row,
no segment of the spool or in quarantine, on this machine and in the store. A collector whose database user may not
read the rows goes by what the publisher did: it deletes the quarter's fingerprint from `private.peppers` when no row of
the quarter is left and every collector has loaded past it; and it waits until counted rows are not kept so long.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.ingest.pseudonyms import PepperError, Peppers, first_day, last_day, quarter, quarters
from collector.ingest.segment import OPEN, SEALED, day_of, segments
from collector.publish.closing import REMEMBERED_DAYS, has_rows_between
from collector.store import nodes
from collector.store.quarantine import set_aside_segments
from collector.store.shared_pepper import forget as forget_fingerprint
from collector.store.shared_pepper import known_quarters

if TYPE_CHECKING:
    from pathlib import Path

    from collector.layout import Layout
    from collector.publish.limits import Limits
    from collector.roles import Role
    from collector.store.engine import Engine

__all__ = ["MADE_AHEAD_DAYS", "Life", "forget_fingerprint", "fulfilled_in_store", "lives", "make_ahead", "next_quarter"]
MADE_AHEAD_DAYS = 14
_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Life:
    """How it is with one pepper.

    Attributes:
        quarter: whose.
        fingerprint: tells it from others; empty where it cannot be read.
        state: current, next, kept, or may go.
        until: a kept one is destroyed on this day at the latest, if all goes well.
        because: what keeps it.
    """

    quarter: str
    fingerprint: str
    state: str
    until: dt.date | None
    because: str

    @property
    def may_go(self) -> bool:
        """Whether nothing needs it any more."""
        return self.state == "may go"

    def shown(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "quarter": self.quarter,
            "fingerprint": self.fingerprint,
            "state": self.state,
            "until": self.until.isoformat() if self.until else None,
            "because": self.because,
        }


def next_quarter(today: dt.date) -> str:
    """The quarter after the one that runs."""
    return quarter(last_day(quarter(today)) + _ONE_DAY)


def make_ahead(secrets: Path, today: dt.date) -> bool:
    """Makes the next quarter's pepper if it begins soon; whether it was made now.

    Raises:
        PepperError: it cannot be made.
    """
    begins = first_day(next_quarter(today))
    peppers = Peppers(secrets)
    if (begins - today).days > MADE_AHEAD_DAYS or peppers.is_there(begins):
        return False
    peppers.prepare(begins)
    return True


def lives(paths: Layout, today: dt.date, limits: Limits, engine: Engine | None, role: Role | None) -> list[Life]:
    """The peppers of this machine, the oldest first.

    Args:
        paths: where they are.
        today: the UTC date.
        limits: how long reports are kept.
        engine: the store; None where it cannot be asked.
        role: of this collector in it.

    Raises:
        EngineError: the engine failed.
    """
    now = quarter(today)
    found = []
    for name in quarters(paths.secrets):
        if name >= now:
            found.append(Life(name, _fingerprint(paths.secrets, name), "current" if name == now else "next", None, ""))
            continue
        because = _on_disk(paths, name) or _in_store(name, today, limits, engine, role)
        state, until = ("kept", _until(name, today, limits, role)) if because else ("may go", None)
        found.append(Life(name, _fingerprint(paths.secrets, name), state, until, because))
    return found


def fulfilled_in_store(engine: Engine, today: dt.date, limits: Limits) -> list[str]:
    """The quarters that are over, whose fingerprints the store knows, and of which it holds and awaits nothing.

    A collector that fell silent is awaited no longer than the policy permits its reports.

    Raises:
        EngineError: the engine failed.
    """
    over = [name for name in known_quarters(engine) if last_day(name) < today]
    return [
        name
        for name in over
        if not has_rows_between(engine, first_day(name), last_day(name))
        and (_is_expired(name, today, limits) or not nodes.lagging(engine, last_day(name)))
    ]


def _on_disk(paths: Layout, name: str) -> str:
    first, last = first_day(name), last_day(name)
    waiting = [p for stage in (OPEN, SEALED) for p in segments(paths.spool, stage) if first <= day_of(p) <= last]
    if waiting:
        return f"segments of it wait in the spool ({len(waiting)})"
    aside = [one for one in set_aside_segments(paths.quarantine) if first <= one.day <= last]
    return f"segments of it are in quarantine ({len(aside)})" if aside else ""


def _in_store(name: str, today: dt.date, limits: Limits, engine: Engine | None, role: Role | None) -> str:
    if engine is None or role is None:
        return "the store was not asked" if today < _last_row_goes(name, limits) else ""
    if role.publishes:
        return "the store has reports of it" if has_rows_between(engine, first_day(name), last_day(name)) else ""
    if name in known_quarters(engine) and not _is_expired(name, today, limits):
        return "the publisher has not said that its reports are gone"
    # A store that was just restored knows no fingerprint and has rows.
    return "the store may have reports of it" if today < _last_row_goes(name, limits) else ""


def _is_expired(name: str, today: dt.date, limits: Limits) -> bool:
    """Whether the policy permits no report of a quarter any more."""
    return (today - last_day(name)).days >= limits.retention_days


def _until(name: str, today: dt.date, limits: Limits, role: Role | None) -> dt.date:
    """When a pepper goes, if nothing is late: with the rows of its quarter's last day, which is the end of a month."""
    if role is None or not role.publishes:
        return _last_row_goes(name, limits)
    days = max(limits.keep_after_release_days + 1, REMEMBERED_DAYS + 1 + limits.closed_within_days)
    return max(last_day(name) + days * _ONE_DAY, today + _ONE_DAY)


def _last_row_goes(name: str, limits: Limits) -> dt.date:
    """The day on which the last report of a quarter's last day is dropped: one that came late counts in the next."""
    return last_day(name) + (limits.counted_days + limits.closed_within_days) * _ONE_DAY


def _fingerprint(secrets: Path, name: str) -> str:
    try:
        return Peppers(secrets, makes=False).fingerprint(first_day(name))
    except PepperError:
        return ""
