"""On a ClickHouse server, where other machines may still hold reports that came before the request."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from collector.layout import layout
from collector.settings import Settings
from collector.store import nodes
from collector.store.lease import Lease
from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine
from tests.clickhouse_server import ClickHouseServer
from tests.erasure.everywhere import found
from tests.erasure.machine import OTHER_KEY, TODAY, asked, needle, pseudonyms, receipt, report, told
from tests.sample_days import receive, run_row


@pytest.fixture
def engine(clickhouse: ClickHouseServer) -> ServerEngine:
    clickhouse.empty()
    engine = ServerEngine(Address(clickhouse.url(), clickhouse.password_file, 20), "tests")
    migrate(engine, TODAY)
    return engine


def load(engine: ServerEngine, data: Path) -> None:
    """As another machine does, with the same peppers."""
    gone, other = pseudonyms(data)[TODAY], pseudonyms(data, OTHER_KEY)[TODAY]
    receive(engine, [run_row(TODAY, licence=one) for one in (gone, other) for _ in range(3)])


def test_request_is_repeated_until_every_machine_has_loaded_past_its_day(
    clickhouse: ClickHouseServer, engine: ServerEngine, tmp_path: Path
) -> None:
    data, options = tmp_path / "data", clickhouse.options()
    layout(Settings(data=data))
    load(engine, data)
    nodes.note(engine, "ingest-2-ab12cd", TODAY - dt.timedelta(days=1), 3)
    assert report(data, *options) == {"store": 3}
    said = receipt(data, *options, code=3)
    assert said["state"] == "pending"
    assert said["removed"]["store"] == 3
    assert "ingest-2-ab12cd" in said["pending"][0]
    load(engine, data)  # what that machine still had
    again = asked(data, "forget", "--pending", *options)
    assert again.exit_code == 3
    assert "pending   ingest-2-ab12cd" in again.stdout
    assert report(data, *options) == {}
    load(engine, data)
    nodes.note(engine, "ingest-2-ab12cd", TODAY, 0)
    (last,) = told(data, "forget", "--pending", *options)["receipts"]
    assert (last["state"], last["removed"]["store"]) == ("done", 3)
    assert told(data, "forget", "--pending", *options)["receipts"] == []
    assert report(data, *options, key=OTHER_KEY) == {"store": 9}
    nothing = {"tables": set(), "packed": set(), "files": set()}
    assert found(engine, clickhouse.directory, needle(data)) == nothing


def test_request_waits_while_another_collector_closes_days(
    clickhouse: ClickHouseServer, engine: ServerEngine, tmp_path: Path
) -> None:
    data, options = tmp_path / "data", clickhouse.options()
    layout(Settings(data=data))
    load(engine, data)
    lease = Lease(engine, "another")
    lease.hold()
    said = receipt(data, *options, code=3)
    assert "another collector is publishing" in said["pending"][0]
    assert report(data, *options) == {"store": 3}
    lease.give_up()
    (last,) = told(data, "forget", "--pending", *options)["receipts"]
    assert last["state"] == "done"
    assert report(data, *options) == {}
    Lease(engine, "another").hold()  # at once: whoever erased has made way
