"""What the last send said, for who asks later: a boot's sender and one in the background have nobody to tell.

    last-send    at = SECONDS, outcome = WORD, message = TEXT    0600

The message is the one that was printed: it holds no value from a report.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Dict, Optional

from telemetry_client.state import whole_number

if TYPE_CHECKING:
    from telemetry_client.result import Result
    from telemetry_client.state import State

LAST_SEND_FILE = "last-send"


def remember_send(state: State, result: Result, now: float) -> None:
    """Remembers it, where that can be written."""
    state.try_make()
    message = result.message.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    text = f'at = {int(now)}\noutcome = "{result.fate.value}"\nmessage = "{message}"\n'
    state.try_write(LAST_SEND_FILE, text, 0o600)


def last_send(state: State) -> Optional[Dict[str, str]]:
    """When it was, what became of it and what was said; None where nothing is remembered."""
    values = state.values(LAST_SEND_FILE)
    at = whole_number(values.get("at", ""))
    if not at or "outcome" not in values:
        return None
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return {"at": when, "outcome": values["outcome"], "message": values.get("message", "")}
