"""On a ClickHouse server, where other machines may still hold reports that came before the request."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from collector.configuration import read_configuration
from collector.forgetting import forget, repeat
from collector.ingest.pseudonyms import quarter
from collector.layout import layout
from collector.settings import Settings, read_settings
from collector.store import nodes
from collector.store.lease import Lease
from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine
from collector.storeroom import open_store
from collector.subject_report import held
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import running
from tests.erasure.everywhere import found
from tests.erasure.machine import EARLIER, OTHER_KEY, TODAY, asked, needle, pseudonyms, receipt, report, told
from tests.erasure.test_blanking import withdraw
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


def test_purge_is_to_be_repeated_until_every_machine_has_loaded_past_its_day(
    clickhouse: ClickHouseServer, engine: ServerEngine, tmp_path: Path
) -> None:
    data, options = tmp_path / "data", (*clickhouse.options(), "--policy", str(withdraw(tmp_path / "policy.toml")))
    layout(Settings(data=data))
    load(engine, data)
    nodes.note(engine, "ingest-2-ab12cd", TODAY - dt.timedelta(days=1), 3)
    done = asked(data, "policy", "purge", "language", *options)
    assert done.exit_code == 3
    assert "pending: ingest-2-ab12cd" in done.stdout
    nodes.note(engine, "ingest-2-ab12cd", TODAY, 0)
    assert told(data, "policy", "purge", "language", *options)["pending"] == []


def test_pepper_that_is_not_here_is_told_of(clickhouse: ClickHouseServer, engine: ServerEngine, tmp_path: Path) -> None:
    """On a machine of the owner's, to which one of them was not copied, and another one of the same quarter was."""
    data, options = tmp_path / "data", clickhouse.options()
    layout(Settings(data=data))
    load(engine, data)
    known = [("2021Q3", "0011223344556677", TODAY), (quarter(EARLIER), "0011223344556677", TODAY)]
    engine.insert("private.peppers", ("quarter", "fingerprint", "noted_on"), known)
    said = receipt(data, *options, code=3)
    assert said["missing"] == ["2021Q3", quarter(EARLIER)]
    assert said["removed"]["store"] == 3
    assert "missing   pepper-2021Q3, without which its rows cannot be found" in asked(data, "forget", *options).stdout


@pytest.mark.usefixtures("engine")
def test_machine_that_only_takes_reports_asks_to_be_asked_again(clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    """It keeps no list, so nobody else would go on."""
    data, options = tmp_path / "data", clickhouse.options()
    layout(Settings(data=data))
    pseudonyms(data)
    with running(data, *options, "--seal-after-seconds", "1", verb="ingest"):
        (data / "spool/w0/open" / f"{TODAY}.0a-1.ndjson").touch()
        done = asked(data, "forget")
    assert done.exit_code == 3
    assert "ask again with the key" in done.stdout
    assert "are erased, too" not in done.stdout


def test_what_another_machine_loads_while_it_is_erased_keeps_it_pending(
    clickhouse: ClickHouseServer, engine: ServerEngine, tmp_path: Path
) -> None:
    """Loaded behind the DELETE; the machine says that it has nothing left before the request ends."""
    settings = read_settings(
        data=tmp_path / "data",
        store_url=clickhouse.url(),
        store_password_file=clickhouse.password_file,
        seal_after_seconds=1,
    )
    paths = layout(settings)
    of_it = list(map(str, pseudonyms(settings.data).values()))
    load(engine, settings.data)
    nodes.note(engine, "ingest-2-ab12cd", TODAY - dt.timedelta(days=1), 3)

    class Meanwhile(Lease):
        """Asked before each statement, it lets the other machine load once the rows are gone."""

        def hold(self) -> None:
            super().hold()
            gone = "SELECT count() = 0 FROM private.reports WHERE licence = {one:UUID}"
            if nodes.lagging(engine, TODAY) and engine.rows(gone, one=of_it[1]) == [(1,)]:
                load(engine, settings.data)
                nodes.note(engine, "ingest-2-ab12cd", TODAY, 0)

    with open_store(settings, paths, read_configuration(settings)) as room:
        publisher = dataclasses.replace(room.publisher, lease=Meanwhile(engine, "mine"))
        receipt = forget(dataclasses.replace(room, publisher=publisher), of_it, TODAY)
        assert "ingest-2-ab12cd" in receipt.pending[0]
        room.publisher.lease.give_up()
        publisher.lease.give_up()
        (last,) = repeat(room, TODAY)
        assert (last.pending, last.removed["store"]) == ((), 3)
        assert not held(room, of_it)
