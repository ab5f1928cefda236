"""A small world of published cells, and the reports API on it over real HTTP."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.configuration import Configuration
from collector.publish.released import Released
from collector.reports.api import Api
from collector.reports.library import Library
from collector.store.engine import Engine, open_embedded
from tests.built_once import built_once, copied
from tests.publishers import publisher_on, rules_of
from tests.ready_engine import ReadyEngine
from tests.sample_days import ONE, receive, row, run_row

FIRST = dt.date(2026, 6, 1)
LAST = dt.date(2026, 9, 30)


@pytest.fixture(scope="module")
def four_months(
    tmp_path_factory: pytest.TempPathFactory, ready_engine: ReadyEngine, configuration: Configuration
) -> Iterator[Engine]:
    """June to September: a version that is always there, one that comes in August, one too rare, licences."""

    def make(directory: Path) -> None:
        ready_engine.put(directory)
        engine = open_embedded(directory)
        fill(engine, configuration)
        engine.close()

    built = built_once(tmp_path_factory, "four-months", make)
    engine = open_embedded(copied(built, tmp_path_factory.mktemp("engine") / "engine"))
    yield engine
    engine.close()


def fill(engine: Engine, configuration: Configuration) -> None:
    days = [FIRST + n * ONE for n in range(0, (LAST - FIRST).days + 1, 10)]
    rows = [row(day, product_version="6.4.2", os_version=f"debian-{11 + n % 2}") for day in days for n in range(120)]
    rows += [row(day, product_version="6.5.0", version_line="6.5") for day in days if day.month >= 8 for _ in range(60)]
    rows += [row(day, product="redis", product_version="7.4.1", version_line="7.4") for day in days for _ in range(80)]
    rows += [row(days[0], product="nginx", product_version="1.27") for _ in range(9)]
    holders = [uuid.UUID(int=n + 1) for n in range(300)]
    rows += [run_row(day, licence=holder) for day in (days[0], days[-1]) for holder in holders]
    receive(engine, rows)
    publisher_on(engine, configuration, keep_after_release_days=200).publish(LAST + ONE, LAST)


@pytest.fixture
def library(four_months: Engine, configuration: Configuration) -> Library:
    return Library(Released(four_months), rules_of(configuration), lambda: configuration.catalogue)


@pytest.fixture
async def client(library: Library) -> AsyncIterator[TestClient]:
    app = web.Application()
    app.add_routes(Api(library, library.released.state).routes())
    async with TestClient(TestServer(app)) as client:
        yield client
