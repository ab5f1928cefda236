"""Sends a fleet's traffic through the real validation into a real spool, loads and publishes it.

The fleet is sent by a process of its own, as a collector's workers are processes of their own; days that it
has sealed are loaded and published meanwhile.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import time
import uuid
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.configuration import read_configuration
from collector.ingest.pseudonyms import Peppers
from collector.ingest.segment import OPEN, day_of, segments
from collector.ingest.spool import SegmentWriter
from collector.ingest.validation import Accepted, Validator
from collector.layout import layout
from collector.simulate.fleet import Fleet
from collector.simulate.traffic import Traffic
from collector.simulate.truth import Truth
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector.settings import Settings
    from collector.storeroom import StoreRoom

_SEND_TOGETHER = 5000
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """What to simulate.

    Attributes:
        last: the last day.
        days: how many days there are.
        reports: how many reports are sent in all.
        seed: what the fleet follows from.
        truth: where to write the exact counts, if anywhere.
    """

    last: dt.date
    days: int
    reports: int
    seed: int
    truth: Path | None


@dataclass(frozen=True)
class Result:
    """What became of it: accepted reports (retries included), rejected ones, released periods."""

    accepted: int
    rejected: int
    released: int


def simulate(plan: Plan, room: StoreRoom, done: Callable[[dt.date], None]) -> Result:
    """Sends, loads and publishes the whole plan.

    Args:
        plan: what to simulate.
        room: the store of an empty data directory.
        done: called after each published day.

    Raises:
        ConfigurationError: the catalogue has no image product.
        SpoolError: the reports could not be written to disk.
        EngineError: they could not be loaded or published.
    """
    products = read_configuration(room.settings).catalogue.products
    if not any(product.report == "image-boot" for product in products.values()):
        raise ConfigurationError([f"{room.settings.catalogue}: has no image product to simulate"])
    released = 0
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        sending = process.submit(send, plan, room.settings)
        while not sending.done():
            open_days = [day_of(path) for path in segments(room.paths.spool, OPEN)]
            if open_days:
                released += _publish(plan, room, min(open_days) - dt.timedelta(days=1), done)
            time.sleep(_LOOK_EVERY_SECONDS)
        accepted, rejected = sending.result()
    return Result(accepted, rejected, released + _publish(plan, room, plan.last, done))


def send(plan: Plan, settings: Settings) -> tuple[int, int]:
    """Sends every day of the plan, in a process of its own; each day's rows are sealed under its date.

    Returns:
        How many reports were accepted (retries included), and how many rejected.
    """
    configuration = read_configuration(settings)
    paths = layout(settings)
    first = plan.last - dt.timedelta(days=plan.days - 1)
    fleet = Fleet(configuration.catalogue, first, plan.days, plan.reports, plan.seed)
    traffic = Traffic(fleet, plan.seed)
    products = configuration.catalogue.products
    truth = Truth(configuration.menu, lambda p, v: products[p].version_line(v)) if plan.truth else None
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
    if truth is not None and plan.truth is not None:
        truth.write(plan.truth)
    return became[True], became[False]


def _publish(plan: Plan, room: StoreRoom, through: dt.date, done: Callable[[dt.date], None]) -> int:
    """Loads what is sealed and publishes up to `through`; how many periods were released."""
    room.loader.load_sealed()
    return len(room.publisher.publish(plan.last + dt.timedelta(days=1), through, done))


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
