"""One body in, one outcome for each report in it out; accepted only after the spool says durable."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest import tally
from collector.ingest.limits import NDJSON, Limits
from collector.ingest.spool import Spool, SpoolError
from collector.ingest.validation import Accepted, Rejected, Validator, Verdict
from collector.metrics import BLANKED
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.ingest.values import ValueBudget
    from schemas.reports import Report

log = structlog.get_logger()
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = {JSON, NDJSON, FORM}

# This program was not there before.
CLOCK_FLOOR = dt.date(2026, 1, 1)

Result = tuple[Outcome, str | None]


# Lines of a batch that are judged before other requests get a turn: under a millisecond.
_LINES_AT_ONCE = 100
_BATCHES_AT_ONCE = 4
# Rows that may wait for the disk while other batches are judged: as long as a single report may be.
_BYTES_OUT_OF_TURN = 65_536


class Intake:
    """Takes bodies.

    Args:
        validator: decides on each report; may be replaced while running.
        spool: makes accepted ones durable.
        budget: bounds new values.
        limits: bounds of a batch.
        today: the UTC date, asked once for each body.
    """

    def __init__(
        self, validator: Validator, spool: Spool, budget: ValueBudget, limits: Limits, today: Callable[[], dt.date]
    ) -> None:
        self.limits = limits
        self.validator = validator
        self._spool = spool
        self._budget = budget
        self._today = today
        self._batches = asyncio.Semaphore(_BATCHES_AT_ONCE)

    async def take(self, report: Report, media_type: str, body: bytes, *, dry_run: bool) -> list[Result]:
        """One outcome for each report in `body`, in order; at least one."""
        today = self._today()
        budget = None if dry_run else self._budget
        if media_type != NDJSON:
            return await self._conclude(
                report, await self._judge(report, media_type, body, today, budget), today, dry_run
            )
        # Lines take many times the memory of the batch they came in: few batches are taken apart at once.
        async with self._batches:
            judged = await self._judge(report, media_type, body, today, budget)
            if len(judged.rows) > _BYTES_OUT_OF_TURN:
                return await self._conclude(report, judged, today, dry_run)
        return await self._conclude(report, judged, today, dry_run)

    async def _conclude(self, report: Report, judged: _Judged, today: dt.date, dry_run: bool) -> list[Result]:
        try:
            stored = Outcome.VALID if dry_run else await self._store(report, judged, today)
        except Exception as error:  # noqa: BLE001 - a bug in one body must not take others with it
            log.error("request_failed", error=type(error).__name__)
            stored = Outcome.INTERNAL
        results = [one or (stored, None) for one in judged.rejected]
        for outcome, reports in Counter([outcome for outcome, _ in results]).items():
            if outcome is not Outcome.ACCEPTED:  # those were counted when they were durable
                tally.count(report.id, outcome, reports)
        return results

    async def _judge(
        self, report: Report, media_type: str, body: bytes, today: dt.date, budget: ValueBudget | None
    ) -> _Judged:
        bodies, refusal = self._split(media_type, body)
        tally.count_received(len(bodies))
        if refusal is None and today < CLOCK_FLOOR:
            # A clock that has not been set yet: the report could not be counted on its day. Clients keep it.
            refusal = Outcome.UNAVAILABLE
        if refusal:
            return _Judged([(refusal, None)] * len(bodies))
        try:
            if media_type == JSON:
                return _judged([self.validator.validate_json(report, body, today, budget)])
            if media_type == FORM:
                return _judged([self.validator.validate_form(report, body, today, budget)])
            return _judged(await self._judge_lines(report, bodies, today, budget))
        except Exception as error:  # noqa: BLE001 - a bug in one body must not take others with it
            log.error("request_failed", error=type(error).__name__)
            return _Judged([(Outcome.INTERNAL, None)] * len(bodies))

    async def _judge_lines(
        self, report: Report, lines: list[bytes], today: dt.date, budget: ValueBudget | None
    ) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for line in lines:
            if verdicts and len(verdicts) % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
            if len(line) > self.limits.max_body_bytes:
                verdicts.append(Rejected(Outcome.TOO_LARGE))
            else:
                verdicts.append(self.validator.validate_json(report, line, today, budget))
        return verdicts

    def _split(self, media_type: str, body: bytes) -> tuple[list[bytes], Outcome | None]:
        """The reports in a body, or why they are not looked at; that body counts as one."""
        if media_type not in MEDIA_TYPES:
            return [body], Outcome.UNSUPPORTED_MEDIA_TYPE
        if len(body) > self.limits.of(media_type):
            return [body], Outcome.TOO_LARGE
        if media_type != NDJSON:
            return [body], None
        lines = [line for line in body.split(b"\n") if line.strip()]
        if not lines:
            return [body], Outcome.MALFORMED
        if len(lines) > self.limits.max_batch_lines:
            return [body], Outcome.TOO_LARGE
        return lines, None

    async def _store(self, report: Report, judged: _Judged, today: dt.date) -> Outcome:
        if not judged.accepted:
            return Outcome.ACCEPTED
        try:
            await self._spool.append(today, judged.rows, report.id, judged.accepted)
        except SpoolError as error:
            return error.outcome
        if judged.blanked:
            BLANKED.labels(report.id).inc(judged.blanked)
        return Outcome.ACCEPTED


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is left of a body once it is judged, for as long as it waits to be durable.

    Attributes:
        rejected: for each report why it is not stored; None for one that may be.
        rows: those that may be.
        accepted: how many rows.
        blanked: how many withdrawn fields were left empty in them.
    """

    rejected: list[Result | None]
    rows: bytes = b""
    accepted: int = 0
    blanked: int = 0


def _judged(verdicts: list[Verdict]) -> _Judged:
    accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
    return _Judged(
        rejected=[(one.outcome, one.field) if isinstance(one, Rejected) else None for one in verdicts],
        rows=b"".join([one.row for one in accepted]),
        accepted=len(accepted),
        blanked=sum([one.blanked for one in accepted]),
    )
