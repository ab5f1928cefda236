"""A collector starts and stops whether or not its store is there."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import collector, running
from tests.outage.conftest import OPTIONS
from tests.outage.fault_proxy import Fault, FaultProxy
from tests.outage.fleet import Fleet, check_nothing_lost, events, wait_for_event


@pytest.fixture(autouse=True)
def _as_before(store: ClickHouseServer, proxy: FaultProxy) -> Iterator[None]:
    store.empty()
    yield
    store.go_on()
    proxy.set(Fault.NONE)


def test_started_before_its_store_it_accepts_and_catches_up(
    tmp_path: Path, store: ClickHouseServer, proxy: FaultProxy
) -> None:
    """First nobody is there, then somebody who does not answer, then the store."""
    proxy.set(Fault.REFUSE)
    with running(tmp_path / "data", *store.options(proxy.port), *OPTIONS) as server:
        fleet = Fleet(server)
        fleet.send(100)
        assert wait_for_event(server, "store_unreachable")["kind"] == "refused"
        state = server.status()
        assert (state["waiting"], state["loaded"], state["accepted"]) == (100, None, None)
        assert "cannot be reached: refused" in state["store"]
        assert "unknown" in collector("status", "--data", str(server.data)).stdout
        with pytest.raises(urllib.error.HTTPError) as answer:
            server.ask("/v1/usage?grain=day", timeout=20)
        with answer.value as response:
            assert response.code == 503
        proxy.set(Fault.STALL)
        fleet.send(100)
        assert wait_for_event(server, "store_unreachable", after=1)["kind"] == "timeout"
        proxy.set(Fault.NONE)
        check_nothing_lost([store], server.data, fleet.accepted)
        assert (len(fleet.accepted), fleet.refused) == (200, [])
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
    other = collector("status", "--data", str(server.data), check=False)
    assert other.returncode == 2
    assert "its reports go to a ClickHouse server; give store_url" in other.stderr
    own = collector("status", "--data", str(server.data), *store.options(), "--format", "json")
    assert json.loads(own.stdout)["loaded"] == 200


def test_stop_does_not_wait_for_a_store_that_hangs_and_leaves_it_everything(
    tmp_path: Path, store: ClickHouseServer, proxy: FaultProxy
) -> None:
    patient = [*OPTIONS, "--store-timeout-seconds", "60"]
    with running(tmp_path / "data", *store.options(proxy.port), *patient) as server:
        fleet = Fleet(server)
        fleet.send(100)
        check_nothing_lost([store], server.data, fleet.accepted)
        store.hang()
        fleet.send(100)
        assert server.stop() == 0
        assert events(server, "stopped_while_busy")
        assert not events(server, "process_killed")
        assert not (server.data / "run" / "control.sock").exists()
        assert [*server.data.glob("spool/*/sealed/*.ndjson")]
    store.go_on()
    with running(tmp_path / "data", *store.options(proxy.port), *OPTIONS) as server:
        check_nothing_lost([store], server.data, fleet.accepted)
        assert len(fleet.accepted) == 200


def test_database_of_a_newer_program_found_late_is_not_touched_and_said_clearly(
    tmp_path: Path, store: ClickHouseServer, proxy: FaultProxy
) -> None:
    engine = ServerEngine(Address(store.url(), store.password_file, 20), "newer")
    today = dt.datetime.now(dt.UTC).date()
    migrate(engine, today)
    engine.insert("private.migrations", ["version", "name", "applied_on"], [[9999, "future", today]])
    engine.close()
    proxy.set(Fault.REFUSE)
    with running(tmp_path / "data", *store.options(proxy.port), *OPTIONS) as server:
        fleet = Fleet(server)
        fleet.send(20)
        proxy.set(Fault.NONE)
        assert "run the newer program" in str(wait_for_event(server, "cannot_start")["because"])
        fleet.send(20)
        assert len(fleet.accepted) == 40
    assert store.ask("SELECT count() FROM private.reports") == [["0"]]


def test_password_file_that_others_can_read_is_refused(tmp_path: Path, store: ClickHouseServer) -> None:
    password = tmp_path / "password"
    password.write_text("canary-password")
    password.chmod(0o644)
    options = ["--store-url", store.url(), "--store-password-file", str(password), *OPTIONS]
    ports = ["--ingest-port", "0", "--reports-port", "0", "--metrics-port", "0"]
    result = collector("serve", "--data", str(tmp_path / "data"), *options, *ports, check=False)
    assert result.returncode == 2
    assert "is open to others; chmod it to 600" in result.stderr
    assert "canary" not in result.stderr
