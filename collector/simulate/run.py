"""Sends a fleet's traffic through the real validation into a real spool."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.ingest.pseudonyms import Peppers
from collector.ingest.spool import SegmentWriter
from collector.ingest.validation import Accepted, Validator

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from collector.configuration import Configuration
    from collector.layout import Layout
    from collector.settings import Settings
    from collector.simulate.fleet import Fleet
    from collector.simulate.traffic import Traffic
    from collector.simulate.truth import Truth

_SEND_TOGETHER = 5000


@dataclass(frozen=True)
class Sent:
    """What became of the traffic: accepted reports (retries included) and rejected ones."""

    accepted: int
    rejected: int


def send(
    fleet: Fleet,
    traffic: Traffic,
    truth: Truth | None,
    settings: Settings,
    configuration: Configuration,
    paths: Layout,
    advance: Callable[[int], None],
) -> Sent:
    """Sends every day of the fleet; each day's rows are sealed under its date."""
    peppers = Peppers(paths.secrets)
    validator = Validator(configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4()))
    writer = SegmentWriter(
        paths.spool / "simulated",
        seal_after_bytes=settings.seal_after_bytes,
        reserve_percent=settings.reserve_percent,
    )
    became: Counter[bool] = Counter()
    for day in fleet.days:
        _send_day(day, traffic, truth, validator, writer, became)
        writer.seal()
        advance(fleet.reports_on[day])
    return Sent(became[True], became[False])


def _send_day(
    day: dt.date,
    traffic: Traffic,
    truth: Truth | None,
    validator: Validator,
    writer: SegmentWriter,
    became: Counter[bool],
) -> None:
    rows: list[bytes] = []
    for sent in traffic.on(day):
        verdict = validator.validate_json(sent.report, sent.body, day)
        accepted = isinstance(verdict, Accepted)
        became[accepted] += 1
        if isinstance(verdict, Accepted):
            rows.append(verdict.row)
            if truth is not None and sent.fields is not None:
                truth.add(day, sent.fields)
        if len(rows) >= _SEND_TOGETHER:
            writer.append(day, b"".join(rows))
            rows.clear()
    if rows:
        writer.append(day, b"".join(rows))
