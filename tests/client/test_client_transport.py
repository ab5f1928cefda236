"""The network at its worst, on real sockets: the time bound, TLS and the answers' size hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

import telemetry_client
from telemetry_client.deadline import Deadline
from telemetry_client.endpoint import Endpoint, Refused, is_loopback, parse_endpoint
from telemetry_client.transport import Answer, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[Callable[..., str]]:
    """Starts a server that treats its one connection as told; returns its URL."""
    with contextlib.ExitStack() as stack:

        def start(behave: Callable[[socket.socket], None]) -> str:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                with contextlib.suppress(OSError):
                    connection, _ = listening.accept()
                    with connection:
                        behave(connection)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

        yield start


def _post(url: str, seconds: float = 5.0) -> tuple[Answer, float]:
    endpoint = parse_endpoint(url)
    assert isinstance(endpoint, Endpoint)
    started = time.monotonic()
    answer = post(endpoint, "/v1/reports/image-boot/1", b'{"product":"canary"}', Deadline(seconds))
    return answer, time.monotonic() - started


def _receive(connection: socket.socket) -> bytes:
    """The whole request: a server that closes with some of it unread would reset the connection."""
    received = b""
    while not received.endswith(b"}"):
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionResetError
        received += chunk
    return received


def _leftover_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "telemetry-client"]


def test_a_server_that_never_answers(server: Callable[..., str]) -> None:
    answer, took = _post(server(lambda connection: (_receive(connection), time.sleep(0.8))), 0.4)
    assert answer.status == 0
    assert "in time" in answer.trouble
    assert took < 0.7


@pytest.mark.parametrize(
    "prefix", [b"HTTP/1.1 202 Accepted\r\nX-Drip: ", b"HTTP/1.1 202 A\r\nContent-Length: 999\r\n\r\n"]
)
def test_a_server_that_drips_a_byte_at_a_time(prefix: bytes, server: Callable[..., str]) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(prefix)
        try:
            for _ in range(400):
                connection.sendall(b"x")
                time.sleep(0.02)
        except OSError:
            gone.set()

    answer, took = _post(server(drip), 0.4)
    assert answer.status == 0
    assert took < 0.7
    # The reading thread was ended too: the server sees its connection closed.
    assert gone.wait(2)
    time.sleep(0.05)
    assert _leftover_threads() == []


@pytest.mark.parametrize("drips", [True, False])
def test_a_server_that_never_ends_the_tls_handshake(drips: bool, server: Callable[..., str]) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x40\x00")
        try:
            for _ in range(400):
                connection.sendall(b"x" if drips else b"")
                if not drips and connection.recv(1) == b"":
                    raise ConnectionResetError
                time.sleep(0.02)
        except OSError:
            gone.set()

    answer, took = _post(server(drip).replace("http://127.0.0.1", "https://localhost"), 0.4)
    assert (answer.trouble, answer.was_handed) == ("no answer in time", False)
    assert took < 0.7
    assert gone.wait(2)
    time.sleep(0.05)
    assert _leftover_threads() == []


def test_the_sockets_of_an_exchange_are_closed(server: Callable[..., str]) -> None:
    from pathlib import Path

    def answer_with(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(b"HTTP/1.1 202 A\r\nContent-Length: 2\r\n\r\n{}")

    url = server(answer_with)
    before = len(list(Path("/proc/self/fd").iterdir()))
    answer, _ = _post(url)
    assert (answer.status, answer.was_handed) == (202, True)
    time.sleep(0.05)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_name_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def resolve(*_arguments: object, **_named: object) -> list[object]:
        release.wait(10)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answer, took = _post("https://telemetry.example.com", 0.4)
    release.set()
    assert answer.status == 0
    assert took < 0.7


def test_the_api_returns_within_its_seconds(
    server: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "DO_NOT_TRACK", "TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    url = server(lambda connection: (_receive(connection), time.sleep(1.2)))
    started = time.monotonic()
    result = telemetry_client.report_run("23.1.0", answer=True, url=url, state_dir=str(tmp_path), seconds=0.8)
    assert time.monotonic() - started < 1.0
    assert "outbox" in result.message


def test_an_endless_answer_is_read_to_its_bound_only(server: Callable[..., str]) -> None:
    sent = [0]

    def flood(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(b'HTTP/1.1 422 No\r\n\r\n{"outcome":"')
        with contextlib.suppress(OSError):
            for _ in range(4000):
                sent[0] += connection.send(b"x" * 16384)

    answer, took = _post(server(flood))
    assert (answer.status, answer.outcome) == (422, "")
    assert took < 3
    assert sent[0] < 30_000_000


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 202 A\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_an_answer_that_is_not_http_raises_nothing_and_accepts_nothing(
    bytes_sent: bytes, server: Callable[..., str]
) -> None:
    def answer_with(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(bytes_sent)

    answer, _ = _post(server(answer_with))
    assert answer.status != 202
    assert "canary" not in answer.trouble


def test_a_202_whose_body_is_cut_short_is_a_202(server: Callable[..., str]) -> None:
    def answer_with(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{")

    assert _post(server(answer_with))[0].status == 202


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'{"outcome":7}',
        b'{"outcome":"\\u001b[31mred"}',
        b'{"outcome":"Has Spaces"}',
        b"[" * 60000,
    ],
)
def test_only_codes_are_taken_from_an_answer(body: bytes, server: Callable[..., str]) -> None:
    def answer_with(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    answer, _ = _post(server(answer_with))
    assert (answer.status, answer.outcome, answer.field) == (422, "", "")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    directory = tmp_path_factory.mktemp("tls")
    files = str(directory / "cert.pem"), str(directory / "key.pem")
    if shutil.which("openssl") is None:
        assert not os.environ.get("REQUIRE_ALL"), "openssl is missing"
        pytest.skip("openssl is missing")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-out",
            files[0],
            "-keyout",
            files[1],
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ],
        check=True,
        capture_output=True,
    )
    return files


def _tls(certificate: tuple[str, str], seen: list[bytes]) -> Callable[[socket.socket], None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            seen.append(_receive(secure))
            secure.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    return behave


def test_an_unknown_certificate_is_refused_before_anything_is_sent(
    server: Callable[..., str], certificate: tuple[str, str]
) -> None:
    seen: list[bytes] = []
    url = server(_tls(certificate, seen)).replace("http://127.0.0.1", "https://localhost")
    answer, _ = _post(url)
    assert "SSLCertVerificationError" in answer.trouble
    assert seen == []


@pytest.mark.parametrize(("host", "is_accepted"), [("localhost", True), ("127.0.0.1", False)])
def test_a_trusted_certificate_counts_for_its_own_name_only(
    host: str,
    is_accepted: bool,
    server: Callable[..., str],
    certificate: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    seen: list[bytes] = []
    url = server(_tls(certificate, seen)).replace("http://127.0.0.1", f"https://{host}")
    answer, _ = _post(url)
    assert (answer.status == 202) == is_accepted
    assert bool(seen) == is_accepted


def test_environment_proxies_are_not_used(server: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def answer_with(connection: socket.socket) -> None:
        _receive(connection)
        connection.sendall(b"HTTP/1.1 202 A\r\nContent-Length: 2\r\n\r\n{}")

    assert _post(server(answer_with))[0].status == 202


@pytest.mark.parametrize(
    "url",
    [
        "http://telemetry.example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "http://2130706433",
        "ftp://localhost",
        "https://",
        "telemetry.example.com",
        "https://user:pass@telemetry.example.com",
        "https://telemetry.example.com/?a=b",
        "https://telemetry.example.com/#a",
        "https://telemetry.example.com:port",
        "https://telemetry.example.com/a b",
        "https://telemetry.example.com/\r\nX: y",
        "https://tel\u00e9metry.example.com",
        "http://[::1",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    refused = parse_endpoint(url)
    assert isinstance(refused, Refused)
    assert "pass" not in refused.why


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://telemetry.example.com/", "https://telemetry.example.com"),
        ("https://telemetry.example.com:8443/base/", "https://telemetry.example.com:8443/base"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_addresses_that_are_used(url: str, normal: str) -> None:
    endpoint = parse_endpoint(url)
    assert isinstance(endpoint, Endpoint)
    assert endpoint.url == normal
    assert endpoint.is_tls or is_loopback(endpoint.host)
