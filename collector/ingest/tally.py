"""Counts what became of each report: the one place where the metrics of requests are written.

How many came, and are under way, is gathered and written once in a turn of the event loop: to write a metric costs
as much as to read a report. What became of them is written at once, before anybody is answered.

What an operator should hear of is also kept for the log: a launch day cannot be repeated, so a product that is
missing from the catalogue must be noticed while it still sends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from collector.metrics import IN_FLIGHT, RECEIVED, REPORTS
from schemas.outcomes import Outcome
from schemas.reports import REPORTS as SCHEMAS

if TYPE_CHECKING:
    from prometheus_client import Counter as Metric

_WORTH_TELLING = {
    Outcome.UNKNOWN_PRODUCT,
    Outcome.RATE_LIMITED,
    Outcome.BUSY,
    Outcome.SPOOL_FULL,
    Outcome.UNAVAILABLE,
    Outcome.INTERNAL,
    Outcome.CLIENT_STOPPED,
}
_metrics: dict[tuple[str, Outcome], Metric] = {}
_to_tell: Counter[Outcome] = Counter()


class _Gathered:
    """What is not written yet."""

    def __init__(self) -> None:
        self.received = 0
        self.in_flight = 0
        self._is_due = False

    def write_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.write)

    def write(self) -> None:
        if self._is_due:
            self._is_due = False
            RECEIVED.inc(self.received)
            self.received = 0
            IN_FLIGHT.set(self.in_flight)


_gathered = _Gathered()


def begin() -> None:
    """Has every count there at 0: the first report of a kind is then seen to be an increase."""
    for report in (*SCHEMAS, "none"):
        for outcome in Outcome:
            _metric(report, outcome)


def count_received(reports: int) -> None:
    """Counts reports that came; written before what became of them is."""
    _gathered.received += reports
    _gathered.write_soon()


def say_in_flight(requests: int) -> None:
    """Says how many requests are being handled now."""
    _gathered.in_flight = requests
    _gathered.write_soon()


def count(report: str, outcome: Outcome, reports: int = 1) -> None:
    """Counts reports by what became of them; `report` is a report's id or `none`."""
    _gathered.write()
    _metric(report, outcome).inc(reports)
    if outcome in _WORTH_TELLING:
        _to_tell[outcome] += reports


def count_refused(report: str, outcome: Outcome) -> None:
    """Counts a request that is answered without its body being looked at: one report, received and refused."""
    count_received(1)
    count(report, outcome)


def _metric(report: str, outcome: Outcome) -> Metric:
    metric = _metrics.get((report, outcome))
    if metric is None:
        metric = _metrics[report, outcome] = REPORTS.labels(report, outcome.value)
    return metric


def take_worth_telling() -> dict[str, int]:
    """Reports by outcome since the last call, of the outcomes that an operator should hear of."""
    taken = {outcome.value: reports for outcome, reports in _to_tell.items()}
    _to_tell.clear()
    return taken
