from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from collector.configuration import Configuration
from collector.publish.publisher import Publisher
from collector.store.engine import Engine
from tests.engine_kinds import PUBLISHING_KINDS
from tests.publishers import publisher_on

MakePublisher = Callable[..., Publisher]


@pytest.fixture(params=PUBLISHING_KINDS)
def engine_kind(request: pytest.FixtureRequest) -> str:
    """Closing and releasing are the same statements on every engine."""
    return str(request.param)


@pytest.fixture
def make_publisher(engine: Engine, configuration: Configuration) -> MakePublisher:
    def make(has_loaded_past: Callable[[dt.date], bool] = lambda _: True) -> Publisher:
        return publisher_on(engine, configuration, has_loaded_past=has_loaded_past)

    return make


@pytest.fixture
def publisher(make_publisher: MakePublisher) -> Publisher:
    return make_publisher()
