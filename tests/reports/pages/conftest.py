"""The pages over HTTP on four generated months, June to September 2026, of WordPress, Redis and InstallBuilder."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.configuration import Configuration
from collector.reports.library import Library
from collector.store.engine import Engine, open_embedded
from tests.ready_engine import ReadyEngine
from tests.reports.pages.generated_store import add_licences, fill
from tests.reports.pages.running import library_on, routes_on

NOW = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
LAST = dt.date(2026, 9, 30)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, ready_engine: ReadyEngine) -> Iterator[Engine]:
    directory = tmp_path_factory.mktemp("engine") / "engine"
    ready_engine.put(directory)
    engine = open_embedded(directory)
    fill(engine, ["wordpress", "redis"], LAST, length_days=122)
    add_licences(engine, [dt.date(2026, month, 1) for month in (6, 7, 8, 9)])
    yield engine
    engine.close()


@pytest.fixture
def library(world: Engine, configuration: Configuration) -> Library:
    return library_on(world, configuration)


@pytest.fixture
async def pages(library: Library, configuration: Configuration) -> AsyncIterator[TestClient]:
    app = web.Application()
    app.add_routes(routes_on(library, configuration, lambda: NOW))
    async with TestClient(TestServer(app)) as client:
        yield client
