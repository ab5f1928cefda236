"""One collector's directory with an engine in it, and time that passes by argument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.configuration import Configuration, limits_of
from collector.journal import Journal
from collector.layout import layout
from collector.publish.limits import Limits
from collector.reports.access.ledger import Ledger
from collector.retention.deleting import Deleting
from collector.retention.holdings import in_ledger, in_store, on_disk
from collector.retention.kinds import Kind
from collector.retention.status import Row, rows
from collector.roles import Role
from collector.settings import Settings
from collector.storeroom import StoreRoom, open_store
from tests.ready_engine import ReadyEngine

Opened = Callable[[], Iterator[Deleting]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def limits(settings: Settings, configuration: Configuration) -> Limits:
    return limits_of(settings, configuration.policy)


@pytest.fixture
def deleting(
    settings: Settings, limits: Limits, configuration: Configuration, ready_engine: ReadyEngine
) -> Iterator[Deleting]:
    """What the store process runs once an hour, on a directory of its own."""
    ready_engine.put(settings.data / "engine")
    with opened(settings, limits, configuration) as deleting:
        yield deleting


@contextmanager
def opened(settings: Settings, limits: Limits, configuration: Configuration) -> Iterator[Deleting]:
    paths = layout(settings)
    ledger, journal = Ledger(paths.access), Journal(paths.access)
    try:
        with open_store(settings, paths, configuration, Role.SERVE, note=journal.note_named) as room:
            yield Deleting(room, ledger, journal, limits)
    finally:
        journal.close()
        ledger.close()


def held(deleting: Deleting, today: dt.date) -> dict[Kind, Row]:
    """What `collector retention status` would say on that day."""
    room: StoreRoom = deleting.room
    found = {**on_disk(room.paths, today), **in_ledger(deleting.ledger), **in_store(room.engine, today)}
    return {row.keeping.kind: row for row in rows(deleting.limits, found, today)}
