"""More than there is room for, slower than there is patience for, and clients that must stop."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.abuse.memory import resident_megabytes
from tests.conftest import Server, children, running

BOOT = "/v1/reports/image-boot/1"
GOOD = json.dumps({"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}).encode()
CANARY_ADDRESS = "198.51.100.77"
TIGHT = [
    *("--trusted-proxies", "127.0.0.1", "--rate-per-second", "0.001", "--rate-burst", "20", "--stopped-clients", "7,8"),
    *("--request-seconds", "1", "--idle-seconds", "1", "--max-connections", "30", "--max-in-flight", "3"),
    *("--max-batch-bytes", "65536", "--max-in-flight-bytes", "1048576"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server") / "data", *TIGHT) as server:
        yield server


def post(server: Server, body: bytes = GOOD, **headers: str) -> tuple[int, dict[str, str], http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(urlsplit(server.ingest).netloc, timeout=30)
    try:
        kind = headers.pop("kind", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", BOOT, body, {"Content-Type": kind} | named)
        response = connection.getresponse()
        return response.status, json.loads(response.read().splitlines()[0]), response.headers
    finally:
        connection.close()


def connect(server: Server, begun: bytes = b"") -> socket.socket:
    host, port = urlsplit(server.ingest).netloc.split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(begun)
    return connection


def head(length: int) -> bytes:
    lines = [f"POST {BOOT} HTTP/1.1", "Host: a", "Content-Type: application/json", f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode()


def test_one_address_is_limited_and_others_are_not(server: Server) -> None:
    answers = [post(server, X_Forwarded_For=CANARY_ADDRESS) for _ in range(22)]
    assert [status for status, _, _ in answers] == [202] * 20 + [429] * 2
    _, answer, headers = answers[-1]
    assert answer["outcome"] == "rate_limited"
    assert 120 <= int(headers["Retry-After"]) <= 240
    assert len({a[2]["Retry-After"] for a in [post(server, X_Forwarded_For=CANARY_ADDRESS) for _ in range(9)]}) > 1
    assert post(server, X_Forwarded_For="203.0.113.5")[0] == 202
    with urllib.request.urlopen(f"{server.metrics}/metrics") as response:
        assert CANARY_ADDRESS not in response.read().decode()
    assert CANARY_ADDRESS not in server.log.read_text()
    for path in server.data.rglob("*"):
        if path.is_file():
            assert CANARY_ADDRESS.encode() not in path.read_bytes(), path


def test_batch_is_charged_for_each_of_its_lines(server: Server) -> None:
    batch = b"\n".join([GOOD] * 25)
    one = {"X_Forwarded_For": "203.0.113.9"}
    assert post(server, batch, kind="application/x-ndjson", **one)[0] == 202
    assert post(server, **one)[0] == 429


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("product-telemetry/7", 410),
        ("product-telemetry/8 (shell)", 410),
        ("product-telemetry/70", 202),
        ("product-telemetry/1", 202),
        ("curl/8 product-telemetry/7", 202),
        ("", 202),
    ],
)
def test_client_versions_that_must_stop_are_told_so(server: Server, agent: str, status: int) -> None:
    found, answer, _ = post(server, User_Agent=agent, X_Forwarded_For="203.0.113.10")
    assert (found, answer["outcome"]) == (status, "client_stopped" if status == 410 else "accepted")


def test_body_that_does_not_arrive_is_answered_and_the_connection_ends(server: Server) -> None:
    with connect(server, head(100) + b"{") as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Retry-After: " in answer
    assert b'"outcome":"too_slow"' in answer


@pytest.mark.parametrize("begun", [b"", b"POST ", head(10)[:40]], ids=["nothing", "a word", "half a head"])
def test_connection_that_brings_no_request_is_closed(server: Server, begun: bytes) -> None:
    with connect(server, begun) as connection:
        assert connection.recv(65536) == b""


def test_connection_is_reused_until_it_is_idle(server: Server) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.ingest).netloc, timeout=30)
    for _ in range(3):
        connection.request("GET", "/livez")
        assert json.loads(connection.getresponse().read()) == {"alive": True}
        own = connection.sock
    assert own is not None
    assert own.recv(1) == b""
    connection.close()


def test_more_requests_than_there_is_room_for_are_told_to_come_again(server: Server) -> None:
    half = [connect(server, head(100) + b"{") for _ in range(3)]
    try:
        deadline = time.monotonic() + 10
        while server.metric("telemetry_requests_in_flight") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            half.append(connect(server, head(100) + b"{"))  # the first were too slow already
        status, answer, headers = post(server, X_Forwarded_For="203.0.113.11")
        while status == 202:
            half.append(connect(server, head(100) + b"{"))
            assert time.monotonic() < deadline
            status, answer, headers = post(server, X_Forwarded_For="203.0.113.12")
        assert (status, answer["outcome"]) == (503, "busy")
        assert 60 <= int(headers["Retry-After"]) <= 120
    finally:
        for connection in half:
            connection.close()
    deadline = time.monotonic() + 10
    while post(server, X_Forwarded_For="203.0.113.13")[0] != 202:
        assert time.monotonic() < deadline


def test_bodies_that_dawdle_make_room_and_batches_never_keep_a_report_out(tmp_path: Path) -> None:
    options = ["--max-in-flight", "4", "--max-batch-bytes", "524288", "--max-in-flight-bytes", "1048576"]
    with running(tmp_path / "data", *options) as server:
        chunked = head(0).replace(b"application/json", b"application/x-ndjson")
        chunked = chunked.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"1\r\n{\r\n"
        batches = [connect(server, chunked) for _ in range(2)]
        wait_for_requests(server, 2)
        assert post(server, GOOD, kind="application/x-ndjson")[0] == 503  # no bytes left for batches
        assert post(server)[0] == 202
        singles = [connect(server, head(100) + b"{") for _ in range(2)]
        wait_for_requests(server, 4)
        time.sleep(1.2)
        assert post(server)[0] == 202  # the first batch has dawdled longest
        assert batches[0].recv(65536).startswith(b"HTTP/1.1 408 ")
        assert post(server, GOOD, kind="application/x-ndjson")[0] == 202
        for connection in (*batches, *singles):
            connection.close()


def wait_for_requests(server: Server, number: int) -> None:
    deadline = time.monotonic() + 10
    while server.metric("telemetry_requests_in_flight") != number:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_idle_connections_make_room_for_a_new_one(server: Server) -> None:
    idle = [connect(server) for _ in range(60)]
    try:
        assert post(server, X_Forwarded_For="203.0.113.14")[0] == 202
        assert server.metric('telemetry_connections_closed_total{reason="too_many"}') >= 30
    finally:
        for connection in idle:
            connection.close()


def test_concurrent_batches_of_one_address_are_admitted_no_further_than_one_into_debt(tmp_path: Path) -> None:
    """On a server with ordinary patience: an early answer must not be lost because this machine is slow."""
    limited = ("--trusted-proxies", "127.0.0.1", "--rate-per-second", "0.001", "--rate-burst", "20")
    with running(tmp_path / "data", *limited) as server:
        assert sorted(statuses_of_concurrent_batches(server)) == [202] * 2 + [429] * 4


def statuses_of_concurrent_batches(server: Server) -> list[int]:
    batch = b"\n".join([GOOD] * 15)
    address = b"Host: a\r\nX-Forwarded-For: 203.0.113.40\r\n"
    begun = head(len(batch)).replace(b"application/json", b"application/x-ndjson").replace(b"Host: a\r\n", address)
    statuses = []
    for _ in range(2):
        several = [connect(server, begun + batch[:-1]) for _ in range(3)]
        for one in several:
            one.sendall(batch[-1:])
        for one in several:
            with one:
                statuses.append(int(one.recv(65536).split(b" ")[1]))
    return statuses


def test_packed_report_is_held_to_the_limit_of_what_it_unpacks_to(tmp_path: Path) -> None:
    """A few kilobytes that unpack to megabytes, in chunks, from many connections."""
    packed = gzip.compress(bytes(4 << 20))
    begun = head(0).replace(b"Content-Length: 0", b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked")
    with running(tmp_path / "data") as server:
        worker = child_named(server, "collector.worker")
        before = resident_megabytes(worker)
        held = [connect(server, begun + b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)) for _ in range(200)]
        for one in held:
            assert one.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert post(server)[0] == 202
        assert resident_megabytes(worker) - before < 60
        for one in held:
            one.close()


def test_every_report_that_was_received_has_exactly_one_outcome(server: Server) -> None:
    bad = json.dumps({"source": "vm", "product": "nothing", "product_version": "1"}).encode()
    post(server, b"\n".join([GOOD, bad, b"{", b"[]"]), kind="application/x-ndjson", X_Forwarded_For="203.0.113.20")
    post(server, b"", kind="text/plain", X_Forwarded_For="203.0.113.20")
    post(server, b" " * 70000, X_Forwarded_For="203.0.113.20")
    with connect(server, b"NONSENSE\r\n\r\n") as connection:
        assert connection.recv(65536).split(b" ")[1] == b"400"
    with connect(
        server, head(5).replace(b"Content-Length: 5", b"Content-Encoding: gzip\r\nContent-Length: 5") + b"abcde"
    ) as c:
        assert c.recv(65536).split(b" ")[1] == b"400"
    with urllib.request.urlopen(f"{server.metrics}/metrics") as response:
        lines = response.read().decode().splitlines()
    outcomes = {
        line.split(" ")[0]: float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("telemetry_reports_total")
    }
    assert sum(outcomes.values()) == server.metric("telemetry_received_total")
    accepted = sum(count for name, count in outcomes.items() if '"accepted"' in name)
    assert server.wait_until_loaded()["loaded"] == accepted


def child_named(server: Server, module: str) -> int:
    return next(p for p in children(server.process.pid) if module.encode() in Path(f"/proc/{p}/cmdline").read_bytes())


def test_store_that_hangs_makes_readiness_degraded_while_reports_are_taken(tmp_path: Path) -> None:
    def ready() -> tuple[int, dict[str, object]]:
        with urllib.request.urlopen(f"{server.ingest}/readyz") as response:
            return response.status, json.load(response)

    def wait_for(state: str) -> dict[str, object]:
        deadline = time.monotonic() + 20
        while (found := ready()[1])["state"] != state:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    with running(tmp_path / "data", "--behind-after-seconds", "1") as server:
        assert ready() == (200, {"ready": True, "state": "ok", "spool": "ok", "store": "ok"})
        store = child_named(server, "collector.storekeeper")
        os.kill(store, signal.SIGSTOP)
        assert post(server)[0] == 202
        assert wait_for("degraded") == {"ready": True, "state": "degraded", "spool": "ok", "store": "behind"}
        assert post(server)[0] == 202
        os.kill(store, signal.SIGCONT)
        wait_for("ok")


def test_process_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--silent-process-seconds", "5") as server:
        worker = child_named(server, "collector.worker")
        os.kill(worker, signal.SIGSTOP)
        assert post(server)[0] == 202  # waited in the socket's queue for the next worker
        assert child_named(server, "collector.worker") != worker
        assert "process_silent" in server.log.read_text()
        assert server.metric("telemetry_process_restarts_total") == 1
