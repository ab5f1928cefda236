"""One body in, one outcome for each report in it out; accepted only after the spool says durable."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from collector.ingest import tally
from collector.ingest.limits import NDJSON, Limits
from collector.ingest.spool import Spool, SpoolError
from collector.ingest.validation import Accepted, Rejected, Validator, Verdict
from collector.metrics import BLANKED
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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

    def take(self, report: Report, media_type: str, body: bytes, *, dry_run: bool) -> Awaitable[list[Result]]:
        """One outcome for each report in `body`, in order; at least one."""
        taking = self._take_body(report, media_type, body, dry_run)
        return self._in_turn(taking) if media_type == NDJSON else taking

    async def _in_turn(self, taking: Awaitable[list[Result]]) -> list[Result]:
        # Lines take many times the memory of the batch they came in: few batches are taken apart at once.
        async with self._batches:
            return await taking

    async def _take_body(self, report: Report, media_type: str, body: bytes, dry_run: bool) -> list[Result]:
        bodies, refusal = self._split(media_type, body)
        tally.count_received(len(bodies))
        results: list[Result] = [(refusal, None)] if refusal else []
        try:
            results = results or await self._take(report, media_type, bodies, dry_run)
        except Exception as error:  # noqa: BLE001 - a bug in one body must not take others with it
            log.error("request_failed", error=type(error).__name__)
            results = [(Outcome.INTERNAL, None)] * len(bodies)
        for outcome, reports in Counter([outcome for outcome, _ in results]).items():
            if outcome is not Outcome.ACCEPTED:  # those were counted when they were durable
                tally.count(report.id, outcome, reports)
        return results

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

    async def _take(self, report: Report, media_type: str, bodies: list[bytes], dry_run: bool) -> list[Result]:
        today = self._today()
        if today < CLOCK_FLOOR:
            # A clock that has not been set yet: the report could not be counted on its day. Clients keep it.
            return [(Outcome.UNAVAILABLE, None)] * len(bodies)
        budget = None if dry_run else self._budget
        verdicts: list[Verdict]
        if media_type == JSON:
            verdicts = [self.validator.validate_json(report, bodies[0], today, budget)]
        elif media_type == FORM:
            verdicts = [self.validator.validate_form(report, bodies[0], today, budget)]
        else:
            verdicts = await self._judge(report, bodies, today, budget)
        stored = Outcome.VALID if dry_run else await self._store(report, verdicts, today)
        return [(v.outcome, v.field) if isinstance(v, Rejected) else (stored, None) for v in verdicts]

    async def _judge(
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

    async def _store(self, report: Report, verdicts: list[Verdict], today: dt.date) -> Outcome:
        accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
        if not accepted:
            return Outcome.ACCEPTED
        try:
            await self._spool.append(today, b"".join([one.row for one in accepted]), report.id, len(accepted))
        except SpoolError as error:
            return error.outcome
        if blanked := sum([one.blanked for one in accepted]):
            BLANKED.labels(report.id).inc(blanked)
        return Outcome.ACCEPTED
