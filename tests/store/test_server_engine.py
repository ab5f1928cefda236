"""What only a server behind a network can do wrong."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.settings import Settings
from collector.store.engine import EngineError, Failure
from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine, installation_name
from schemas.problems import ConfigurationError
from tests.clickhouse_server import PASSWORD, ClickHouseServer, free_port
from tests.outage.fault_proxy import Fault, FaultProxy
from tests.sample_days import DAY, row


@pytest.fixture
def engine_kind() -> str:
    return "server"


@pytest.fixture
def proxy(clickhouse: ClickHouseServer) -> Iterator[FaultProxy]:
    proxy = FaultProxy(clickhouse.port)
    yield proxy
    proxy.close()


@pytest.fixture
def behind_proxy(clickhouse: ClickHouseServer, proxy: FaultProxy) -> Iterator[ServerEngine]:
    """An engine with its tables, whose network can fail."""
    clickhouse.empty()
    engine = ServerEngine(Address(clickhouse.url(proxy.port), clickhouse.password_file, 2), "tests")
    migrate(engine, DAY)
    yield engine
    engine.close()


def write_segment(path: Path, rows: int) -> Path:
    path.write_bytes(b"".join(json.dumps(row(), default=str).encode() + b"\n" for _ in range(rows)))
    return path


def count(clickhouse: ClickHouseServer, table: str) -> int:
    ((n,),) = clickhouse.ask(f"SELECT count() FROM {table}")
    return int(n)


def test_insert_whose_answer_was_lost_is_not_sent_a_second_time(
    clickhouse: ClickHouseServer, proxy: FaultProxy, behind_proxy: ServerEngine
) -> None:
    """Not by us, nor by the libraries below: in a table that does not replace, its rows would be there twice."""
    behind_proxy.command("CREATE TABLE private.reports_plain (n UInt32) ENGINE = MergeTree ORDER BY n")
    proxy.set(Fault.LOSE_ANSWER)
    with pytest.raises(EngineError) as caught:
        behind_proxy.insert("private.reports_plain", ["n"], [[1]])
    assert (caught.value.kind, caught.value.code) == (Failure.LOST, 0)
    assert proxy.felt == 1
    assert count(clickhouse, "private.reports_plain") == 1


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.LOSE_ANSWER, Fault.HALF_CLOSE_INSERT, Fault.CUT_INSERT])
def test_load_without_a_whole_answer_is_not_confirmed(
    tmp_path: Path, proxy: FaultProxy, behind_proxy: ServerEngine, fault: Fault
) -> None:
    proxy.set(fault)
    with pytest.raises(EngineError):
        behind_proxy.load("private.reports", [write_segment(tmp_path / "segment", 100)], 100)
    assert proxy.felt == 1


def test_answer_that_says_less_was_written_confirms_nothing(tmp_path: Path, behind_proxy: ServerEngine) -> None:
    with pytest.raises(EngineError) as caught:
        behind_proxy.load("private.reports", [write_segment(tmp_path / "segment", 99)], 100)
    assert caught.value.kind is Failure.LOST


def test_statement_that_nobody_waits_for_is_ended_before_the_next_writes(
    clickhouse: ClickHouseServer, behind_proxy: ServerEngine
) -> None:
    """Else a closing that is tried again would count beside its first try."""
    behind_proxy.command("CREATE TABLE private.slow (n UInt32) ENGINE = MergeTree ORDER BY n")
    with pytest.raises(EngineError) as caught:
        behind_proxy.command(
            "INSERT INTO private.slow SELECT number FROM numbers(600) WHERE sleepEachRow(0.1) = 0 "
            "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0"
        )
    assert caught.value.kind is Failure.TIMEOUT
    running = "SELECT count() FROM system.processes WHERE startsWith(query_id, 'tests.')"
    assert clickhouse.ask(running) == [["1"]]
    behind_proxy.command("TRUNCATE TABLE private.slow")
    assert clickhouse.ask(running) == [["0"]]
    assert count(clickhouse, "private.slow") == 0


def test_statements_of_a_killed_process_are_ended_by_the_next_one(
    clickhouse: ClickHouseServer, behind_proxy: ServerEngine
) -> None:
    slow = "SELECT count() FROM numbers(600) WHERE sleepEachRow(0.1) = 0 SETTINGS max_block_size = 1, "
    slow += "function_sleep_max_microseconds_per_block = 0"
    left_over = threading.Thread(target=ask_quietly, args=(clickhouse, slow, "tests.0.left-over"))
    left_over.start()
    while not int(clickhouse.ask("SELECT count() FROM system.processes WHERE query_id = 'tests.0.left-over'")[0][0]):
        time.sleep(0.05)
    again = ServerEngine(behind_proxy.address, "tests")
    again.command("TRUNCATE TABLE private.loads")
    left_over.join(timeout=20)
    assert not left_over.is_alive()
    again.close()


def ask_quietly(clickhouse: ClickHouseServer, query: str, query_id: str) -> None:
    """A statement of the same user under a chosen name, over a connection of its own."""
    request = (
        f"POST /?query_id={query_id} HTTP/1.1\r\nHost: store\r\nX-ClickHouse-User: loader\r\n"
        f"X-ClickHouse-Key: {PASSWORD}\r\nConnection: close\r\nContent-Length: {len(query)}\r\n\r\n{query}"
    )
    with socket.create_connection(("127.0.0.1", clickhouse.port)) as connection:
        connection.sendall(request.encode())
        while connection.recv(4096):
            pass


def test_long_segment_is_never_whole_in_memory(
    tmp_path: Path, clickhouse: ClickHouseServer, engine: ServerEngine
) -> None:
    one = write_segment(tmp_path / "one", 2000)
    long = tmp_path / "long"
    with long.open("wb") as file:
        for _ in range(50):
            file.write(one.read_bytes())
    engine.load("private.reports", [one], 2000)
    tracemalloc.start()
    engine.load("private.reports", [long], 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert long.stat().st_size > 30_000_000
    assert peak < 10_000_000
    assert count(clickhouse, "private.reports FINAL") == 2000


def test_failures_say_their_kind_and_no_address_user_or_password(
    tmp_path: Path, clickhouse: ClickHouseServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("canary-password\n")
    nobody, known = free_port(), clickhouse.password_file
    said = ""
    with caplog.at_level(logging.DEBUG, logger="root"):
        for url, file, kind, code in (
            (clickhouse.url(), wrong, Failure.ANSWERED, 516),
            (clickhouse.url(), tmp_path / "missing", Failure.NO_PASSWORD, 0),
            (clickhouse.url(nobody), known, Failure.REFUSED, 0),
            ("clickhouse://loader@canary-host.invalid:8123", known, Failure.UNKNOWN_HOST, 0),
            (clickhouse.url().replace("clickhouse:", "clickhouses:"), known, Failure.UNTRUSTED, 0),
        ):
            engine = ServerEngine(Address(url, file, 2), "tests")
            with pytest.raises(EngineError) as caught:
                engine.rows("SELECT 'canary-statement'")
            assert (caught.value.kind, caught.value.code) == (kind, code)
            said += f"{caught.value} {engine!r}"
            engine.close()
    said += caplog.text + "".join(capfd.readouterr())
    assert not [word for word in ("canary-password", "canary-statement", PASSWORD, str(nobody)) if word in caplog.text]
    assert PASSWORD not in said
    assert "canary-password" not in said


def test_encrypted_connection_is_made_to_a_trusted_certificate_alone(
    tmp_path: Path, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=store"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    clickhouse.empty()  # starts it again if a test before has ended it
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    proxy = FaultProxy(clickhouse.port, context)
    address = Address(clickhouse.url(proxy.port).replace("clickhouse:", "clickhouses:"), clickhouse.password_file, 5)
    with pytest.raises(EngineError) as caught:
        ServerEngine(address, "tests").rows("SELECT 1")
    assert caught.value.kind is Failure.UNTRUSTED
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    engine = ServerEngine(address, "tests")
    assert engine.rows("SELECT 1") == [(1,)]
    engine.close()
    proxy.close()


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://loader:canary@host:8123",
        "http://loader@host:8123",
        "clickhouse://host:8123",
        "clickhouse://loader@host",
        "clickhouse://loader@host:99999",
        "clickhouse://loader@host:8123/?canary=1",
        "clickhouse://loader@host:8123#canary",
    ],
)
def test_store_url_that_holds_a_password_or_is_none_is_refused_and_not_repeated(url: str) -> None:
    from collector.settings import read_settings

    with pytest.raises(ConfigurationError) as caught:
        read_settings(store_url=url)
    assert "clickhouse://USER@HOST:PORT" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_settings_hold_no_password(tmp_path: Path) -> None:
    """They are handed to child processes as text."""
    secret = tmp_path / "password"
    secret.write_text("canary-password")
    settings = Settings(store_url="clickhouse://loader@[::1]:8123", store_password_file=secret)
    assert "canary" not in settings.model_dump_json() + repr(settings)


def test_password_may_come_from_the_environment(clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from collector.settings import read_settings

    monkeypatch.setenv("COLLECTOR_STORE_PASSWORD", PASSWORD)
    settings = read_settings(store_url=clickhouse.url())
    assert PASSWORD not in settings.model_dump_json() + repr(settings)
    engine = ServerEngine(Address(clickhouse.url(), settings.store_password_file, 5), "tests")
    assert engine.rows("SELECT currentUser()") == [("loader",)]
    engine.close()


def test_name_of_an_installation_stays(tmp_path: Path) -> None:
    name = installation_name(tmp_path / "engine")
    assert len(name) == 16
    assert installation_name(tmp_path / "engine") == name
    assert installation_name(tmp_path / "other") != name
