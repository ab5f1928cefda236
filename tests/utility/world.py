"""A simulated fleet whose true counts are known, and what the real publisher releases of it.

The fleet is sent, validated and loaded once. Then the closed engine's directory is copied for each profile, and each
copy closes and releases every day by itself: no profile sees what another one drew.

The time is February 2027: four whole weeks and one whole month in 28 days, so that no period is cut short.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from collector.configuration import Configuration, read_configuration
from collector.ingest.pseudonyms import PEPPER_BYTES, quarter
from collector.layout import layout
from collector.publish.menu import Menu
from collector.publish.periods import CLOSED_GRAINS, ONE_DAY
from collector.publish.released import Released
from collector.settings import Settings
from collector.simulate.run import Plan, send
from collector.storeroom import open_store
from schemas.catalogue import SHIPPED_CATALOGUE

FIRST, LAST = dt.date(2027, 2, 1), dt.date(2027, 2, 28)
DAYS = (LAST - FIRST).days + 1
SEED = 7
_LOOK_EVERY_SECONDS = 0.2


class Cell(NamedTuple):
    """Where a count belongs; `values` are those of the product and of the breakdown's fields."""

    grain: str
    period: str
    measure: str
    breakdown: str
    values: tuple[str, ...]


Counts = dict[Cell, int]
Tell = Callable[[str], None]
_MADE_UP_PRODUCT = """
[products.made-up-{n}]
title = "Made up {n}"
policy = "vendor-privacy-policy"
report = "image-boot"
sources = ["vm", "cloud", "container"]
version_line_parts = 2
"""


@dataclass(frozen=True)
class World:
    """A fleet whose reports are in an engine, none of them closed.

    Attributes:
        directory: the data directory that holds them, and the copies beside it.
        reports_a_day: how many were sent in a day, good and bad, on average.
        configuration: what they were validated and are published with.
        truth: how many there really were, each once.
    """

    directory: Path
    reports_a_day: int
    configuration: Configuration
    truth: Counts

    @property
    def products(self) -> list[str]:
        """The products of the catalogue that report boots."""
        return [name for name, p in self.configuration.catalogue.products.items() if p.report == "image-boot"]

    def release(self, profile: str, tell: Tell) -> Counts:
        """What is published of the whole month under `profile`; on an engine of its own, in `directory/<profile>`."""
        settings = Settings(data=self.directory / profile, profile=profile)
        paths = layout(settings)
        shutil.copytree(self.directory / "loaded" / "engine", paths.engine, symlinks=True)
        with open_store(settings, paths, self.configuration) as room:
            # The month stays the same for ever; rows of long ago would expire while they are counted.
            room.engine.command("ALTER TABLE private.counted REMOVE TTL")
            # A secret that is known: the same noise in every run, so that the tables can be made again.
            publisher = replace(room.publisher, new_secret=lambda: f"utility, {profile}".ljust(32).encode())
            publisher.publish(LAST + ONE_DAY, LAST, lambda day: tell(f"{profile}: {day} is closed"))
            return _published(room.released, self.configuration.menu)


def simulate(directory: Path, reports_a_day: int, tell: Tell, seed: int = SEED, made_up_products: int = 0) -> World:
    """Sends a month of a fleet through validation and spool into an engine, and closes nothing.

    Args:
        directory: for everything, empty.
        reports_a_day: how many are sent on average, good and bad.
        tell: hears how far things are.
        seed: fleet and traffic follow from it.
        made_up_products: how many more there are than in the shipped catalogue, each used less than the one before.
    """
    catalogue = directory / "products.toml"
    made_up = (_MADE_UP_PRODUCT.format(n=n) for n in range(made_up_products))
    catalogue.write_text(SHIPPED_CATALOGUE.read_text(encoding="utf-8") + "".join(made_up), encoding="utf-8")
    settings = Settings(data=directory / "loaded", catalogue=catalogue)
    paths = layout(settings)
    configuration = read_configuration(settings)
    truth = directory / "truth.json"
    _use_known_pepper(paths.secrets)
    plan = Plan(last=LAST, days=DAYS, reports=reports_a_day * DAYS, seed=seed, truth=truth)
    with (
        open_store(settings, paths, configuration) as room,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process,
    ):
        sending = process.submit(send, plan, settings)
        loaded = 0
        while not sending.done():
            if rows := room.loader.load_sealed():
                loaded += rows
                tell(f"{loaded:,} of about {plan.reports:,} reports are loaded")
            time.sleep(_LOOK_EVERY_SECONDS)
        sending.result()
        room.loader.load_sealed()
    return World(directory, reports_a_day, configuration, _true_counts(truth))


def _use_known_pepper(secrets: Path) -> None:
    """Which four cells of a table a licence counts in follows from its pseudonym: the same in every run."""
    pepper = secrets / f"pepper-{quarter(FIRST)}"
    pepper.write_bytes(b"utility".ljust(PEPPER_BYTES))
    pepper.chmod(0o600)


def _true_counts(path: Path) -> Counts:
    kind = ("grain", "period", "measure", "breakdown")
    counts = {}
    for held in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        fields = ("product", *filter(None, held["breakdown"].split("+")))
        counts[Cell(*(held[name] for name in kind), tuple(held[field] for field in fields))] = held["value"]
    return counts


def _published(released: Released, menu: Menu) -> Counts:
    counts = {}
    for table in menu.tables:
        for grain in set(table.grains) & set(CLOSED_GRAINS):
            for cell in released.cells(table.measure, table.fields, grain, FIRST, LAST, None):
                values = tuple(cell.values[field] for field in ("product", *table.fields))
                key = Cell(grain, cell.period.isoformat(), table.measure, table.breakdown, values)
                counts[key] = cell.value
    return counts
