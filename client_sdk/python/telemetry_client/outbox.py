"""Reports that wait to be sent again: one file each, in `outbox/` of the state directory.

Name: `SECONDS-REPORT_ID.json`, where SECONDS is the time of the report in at least ten digits, so that names
sort by age. Content, byte for byte, without a line end:

    {"format":1,"report":"image-boot/1","url":"https://...","body":"{...}"}

`url` is the collector it was meant for, and `body` the exact bytes as text. Either client sends what the other left.
Directory 0700, files 0600, each written durably and whole.

Invariants: at most 16 reports (the oldest goes) and none older than 7 days, because the collector remembers
ids for 14; a report with a licence key is never here; a report goes only to the url it was made for; what
is not byte for byte what a client would have written, or is no longer permitted by the client that finds it, is
removed and not sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING, List, NamedTuple, Optional

from telemetry_client.durable_file import TEMPORARY_PREFIX, set_mode, write_durably
from telemetry_client.endpoint import Endpoint, parse_endpoint
from telemetry_client.report import encode_body
from telemetry_client.text import read_text

if TYPE_CHECKING:
    from telemetry_client.permits import Permits
    from telemetry_client.report import Report

MAX_REPORTS = 16
MAX_AGE_SECONDS = 7 * 24 * 3600
_FORMAT = 1
_NAME = re.compile(r"([0-9]{10,12})-([0-9a-f-]{36})\.json")
_MAX_ENTRY_BYTES = 64 * 1024
_ABANDONED_SECONDS = 3600


class Waiting(NamedTuple):
    """One report in the outbox."""

    name: str
    made_at: int
    report: str
    path: str
    url: str
    body: bytes


class Outbox:
    """The directory of waiting reports. Nothing here raises OSError."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def put(self, report: Report, url: str, now: float) -> str:
        """Keeps a report; its name, or an empty string where it cannot be kept."""
        if report.carries_key:
            raise ValueError("a report with a licence key is never kept")
        report_id = next(e.fact.value for e in report.entries if e.permit.name == "report_id")
        name = f"{int(now):010d}-{report_id}.json"
        try:
            self._remove_link()
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            set_mode(self.directory, 0o700)
            write_durably(os.path.join(self.directory, name), _encode(report.id, url, report.body), 0o600)
        except OSError:
            return ""
        self.tidy(now)
        return name

    def remove(self, name: str) -> None:
        """Forgets one report; an empty name is no report."""
        if not name:
            return
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.directory, name))

    def clear(self) -> int:
        """Forgets everything; how many reports that were. What a link leads to is not ours to forget."""
        with contextlib.suppress(OSError):
            self._remove_link()
        names = self.names()
        for name in self._listed():
            if name in names or name.startswith(TEMPORARY_PREFIX):
                self.remove(name)
        return len(names) - len(self.names())

    def holds(self, name: str) -> bool:
        """Whether this report still waits."""
        return os.path.lexists(os.path.join(self.directory, name))

    def names(self) -> List[str]:
        """The names of all waiting reports, oldest first."""
        return sorted(name for name in self._listed() if _NAME.fullmatch(name))

    def ages(self, now: float) -> List[float]:
        """How long each has waited, in seconds, oldest first."""
        return [max(0.0, now - _made_at(name)) for name in self.names()]

    def tidy(self, now: float) -> None:
        """Drops what is too old or too much, and temporary files a power cut left behind."""
        names = self.names()
        surplus = names[: max(0, len(names) - MAX_REPORTS)]
        for name in names:
            # The distance counts, not its sign: a clock that was years ahead must not keep it for years.
            if name in surplus or abs(now - _made_at(name)) > MAX_AGE_SECONDS:
                self.remove(name)
        for name in self._listed():
            if name.startswith(TEMPORARY_PREFIX) and self._is_abandoned(name, now):
                self.remove(name)

    def waiting(self, permits: Permits, url: str, made_since: int) -> List[Waiting]:
        """What may go to `url`, oldest first. Reports from before `made_since` (the consent) are dropped."""
        found = []
        for name in self.names():
            entry = self._read(name, permits)
            if entry is None or entry.made_at < made_since:
                self.remove(name)
            elif entry.url == url:
                found.append(entry)
        return found

    def _read(self, name: str, permits: Permits) -> Optional[Waiting]:
        text = read_text(os.path.join(self.directory, name), _MAX_ENTRY_BYTES)
        return None if text is None else _parsed(name, text, permits)

    def _remove_link(self) -> None:
        if os.path.islink(self.directory):
            os.unlink(self.directory)

    def _listed(self) -> List[str]:
        try:
            return [] if os.path.islink(self.directory) else os.listdir(self.directory)
        except OSError:
            return []

    def _is_abandoned(self, name: str, now: float) -> bool:
        try:
            return abs(now - os.stat(os.path.join(self.directory, name)).st_mtime) > _ABANDONED_SECONDS
        except OSError:
            return False


def _made_at(name: str) -> int:
    match = _NAME.fullmatch(name)
    return int(match.group(1)) if match else 0


def _encode(report: str, url: str, body: bytes) -> bytes:
    entry = {"format": _FORMAT, "report": report, "url": url, "body": body.decode("ascii")}
    return json.dumps(entry, separators=(",", ":")).encode("ascii")


def _parsed(name: str, text: str, permits: Permits) -> Optional[Waiting]:
    """The report in an outbox file; None where that is not one which a client would have written."""
    try:
        entry = json.loads(text)
        report, url, values = entry["report"], entry["url"], json.loads(entry["body"])
        if permits.problem_with(report, values) is not None or "license_key" in values:
            return None
        body = encode_body(values)
        if _encode(report, url, body) != text.encode("utf-8"):
            return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    endpoint = parse_endpoint(url)
    is_own = isinstance(endpoint, Endpoint) and endpoint.url == url and _is_named_for(name, values.get("report_id", ""))
    return Waiting(name, _made_at(name), report, permits.reports[report].path, url, body) if is_own else None


def _is_named_for(name: str, report_id: str) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and match.group(2) == report_id
