"""What was handed to a connection: the last ten bodies, for the person whose machine it is.

    sent    {"at":SECONDS,"report":"image-boot/1","url":"https://...","status":202,"body":"{...}"}    0600

One line each, oldest first; status 0 where no answer came. A licence key is asterisks in it. Lines of any
other form are skipped.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional

if TYPE_CHECKING:
    from telemetry_client.state import State

MASK = "********"
_FILE = "sent"
_MOST_LINES = 10
_KEYS = ["at", "report", "url", "status", "body"]
_REPORT = re.compile(r"[a-z0-9-]{1,64}/[0-9]{1,4}")
# What cannot move a terminal's cursor.
_PRINTABLE = re.compile(r"[ -~]*")
_LAST_SECOND = 253402300799  # of the year 9999
_LAST_STATUS = 999


class Sent(NamedTuple):
    """One body that was handed to a connection. at: seconds since 1970."""

    at: int
    report: str
    url: str
    status: int
    body: str


def mask_key(body: bytes) -> str:
    """A body as text, with asterisks for the licence key."""
    text = body.decode("ascii")
    values = json.loads(text)
    if "license_key" not in values:
        return text
    return json.dumps({**values, "license_key": MASK}, separators=(",", ":"))


def remember_sent(state: State, sent: Sent) -> None:
    """Appends to the log and lets the oldest go."""
    latest = [*read_sent(state), sent][-_MOST_LINES:]
    state.try_write(_FILE, "".join(_line(each) + "\n" for each in latest), 0o600)


def read_sent(state: State) -> List[Sent]:
    """The log, oldest first."""
    found = (_parsed(line) for line in state.text(_FILE).split("\n"))
    return [sent for sent in found if sent is not None]


def describe_sent(state: State) -> Dict[str, Any]:
    """What `log` tells."""
    return {"sent": [{**sent._asdict(), "at": _utc(sent.at, "%Y-%m-%dT%H:%M:%SZ")} for sent in read_sent(state)]}


def sent_lines(told: Mapping[str, Any]) -> List[str]:
    """`describe_sent` for people."""
    lines: List[str] = []
    for sent in told["sent"]:
        moment = sent["at"].replace("T", " ")
        lines += [f"{moment}  {sent['report']}  {sent['status']}  {sent['url']}", sent["body"]]
    return lines or ["nothing was sent from here so far"]


def _line(sent: Sent) -> str:
    return json.dumps(sent._asdict(), separators=(",", ":"))


def _parsed(line: str) -> Optional[Sent]:
    try:
        values = json.loads(line)
        if not isinstance(values, dict) or list(values) != _KEYS:
            return None
        sent = Sent(**values)
        is_one = _has_form(sent) and _line(sent) == line
    except (ValueError, TypeError, RecursionError):
        return None
    return sent if is_one else None


def _has_form(sent: Sent) -> bool:
    return (
        _is_count(sent.at, _LAST_SECOND)
        and _is_count(sent.status, _LAST_STATUS)
        and _REPORT.fullmatch(sent.report) is not None
        and all(_PRINTABLE.fullmatch(text) for text in (sent.url, sent.body))
    )


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _utc(at: int, form: str) -> str:
    return time.strftime(form, time.gmtime(at))
