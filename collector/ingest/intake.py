"""One body in, one outcome for each report in it out; accepted only after the spool says durable."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.ingest.spool import Spool, SpoolError
from collector.ingest.validation import Accepted, Rejected, Validator, Verdict
from collector.metrics import BLANKED, REPORTS
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.reports import Report

JSON = "application/json"
NDJSON = "application/x-ndjson"
FORM = "application/x-www-form-urlencoded"

# This program was not there before.
CLOCK_FLOOR = dt.date(2026, 1, 1)

Result = tuple[Outcome, str | None]


@dataclass(frozen=True)
class Limits:
    """How long a body, and how many lines a batch, may be."""

    max_body_bytes: int
    max_batch_bytes: int
    max_batch_lines: int

    def of(self, media_type: str) -> int:
        """The longest body of a media type."""
        return self.max_batch_bytes if media_type == NDJSON else self.max_body_bytes


class Intake:
    """Takes bodies.

    Args:
        validator: decides on each report.
        spool: makes accepted ones durable.
        limits: bounds of a batch.
        today: the UTC date, asked once for each body.
    """

    def __init__(self, validator: Validator, spool: Spool, limits: Limits, today: Callable[[], dt.date]) -> None:
        self.limits = limits
        self._validator = validator
        self._spool = spool
        self._today = today

    async def take(self, report: Report, media_type: str, body: bytes, *, dry_run: bool) -> list[Result]:
        """One outcome for each report in `body`, in order; at least one."""
        if media_type not in {JSON, NDJSON, FORM}:
            return [_count(report.id, Outcome.UNSUPPORTED_MEDIA_TYPE)]
        if len(body) > self.limits.of(media_type):
            return [_count(report.id, Outcome.TOO_LARGE)]
        today = self._today()
        if today < CLOCK_FLOOR:
            # A clock that has not been set yet: the report could not be counted on its day. Clients keep it.
            return [_count(report.id, Outcome.UNAVAILABLE)]
        verdicts = self._judge(report, media_type, body, today)
        stored = Outcome.VALID if dry_run else await self._store(verdicts, today)
        results = []
        for verdict in verdicts:
            if isinstance(verdict, Rejected):
                results.append(_count(report.id, verdict.outcome, verdict.field))
                continue
            if verdict.blanked and stored is Outcome.ACCEPTED:
                BLANKED.labels(report.id).inc(verdict.blanked)
            results.append(_count(report.id, stored))
        return results

    def _judge(self, report: Report, media_type: str, body: bytes, today: dt.date) -> list[Verdict]:
        if media_type == FORM:
            return [self._validator.validate_form(report, body, today)]
        if media_type == JSON:
            return [self._validator.validate_json(report, body, today)]
        lines = [line for line in body.split(b"\n") if line.strip()]
        if not lines:
            return [Rejected(Outcome.MALFORMED)]
        if len(lines) > self.limits.max_batch_lines:
            return [Rejected(Outcome.TOO_LARGE)]
        return [
            self._validator.validate_json(report, line, today)
            if len(line) <= self.limits.max_body_bytes
            else Rejected(Outcome.TOO_LARGE)
            for line in lines
        ]

    async def _store(self, verdicts: list[Verdict], today: dt.date) -> Outcome:
        rows = b"".join(verdict.row for verdict in verdicts if isinstance(verdict, Accepted))
        if not rows:
            return Outcome.ACCEPTED
        try:
            await self._spool.append(today, rows)
        except SpoolError as error:
            return error.outcome
        return Outcome.ACCEPTED


def _count(report: str, outcome: Outcome, field: str | None = None) -> Result:
    REPORTS.labels(report, outcome.value).inc()
    return outcome, field
