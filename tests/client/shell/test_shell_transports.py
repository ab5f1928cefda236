"""Each program that can carry a report, forced by a PATH without any other one, against real sockets and TLS."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.client.conformance.listener import ACCEPTED
from tests.client.shell.shells import NEEDED, SHELLS, Ran, directory_of, each_shell, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
# Of this process: others that run beside it have keys in their processes too.
KEY = f"CANARY-0000-1111-2222-{os.getpid()}-0"
INSTALLBUILDER = ("--product", "installbuilder", "--product-version", "25.7.0", "--license-key-stdin")
USUAL = (*NEEDED, "timeout", "find", "flock")
SECURE = ("curl", "wget", "openssl")
PLAIN = ("curl", "wget", "nc", "bash")


class Server:
    """Hears one request after another and answers as told; behave gets the connection after the request."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.heard: list[bytes] = []
        self.connections = 0
        self.answer = ACCEPTED
        self.behave: Callable[[socket.socket], None] = lambda connection: connection.sendall(self.answer)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self.context else f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError), connection:
                connection.settimeout(5)
                self._hear(connection)

    def _hear(self, connection: socket.socket) -> None:
        secure = self.context.wrap_socket(connection, server_side=True) if self.context else connection
        with secure:
            received = b""
            while not received.endswith(b"}"):
                chunk = secure.recv(65536)
                if not chunk:
                    return
                received += chunk
            self.heard.append(received)
            self.behave(secure)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.heard[0].partition(b"\r\n\r\n")[2])


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Server]:
    yield from _server(authority, "localhost")


@pytest.fixture
def plain() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def _server(authority: trustme.CA, name: str) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    running = Server(context)
    yield running
    running.close()


@pytest.fixture
def send(tmp_path: Path) -> Callable[..., Ran]:
    """Sends with this program alone, where somebody said yes."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "consent").write_text("choice = on\nchosen_at = 1\n")
    (tmp_path / "root").mkdir()

    def call(
        program: str,
        url: str,
        *arguments: str,
        shell: str = "dash",
        environment: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Ran:
        path = directory_of(tmp_path / f"with-{program}", (*USUAL, *([program] if program else [])))
        places = ("--root", str(tmp_path / "root"), "--state-dir", str(state))
        facts = () if "--product" in arguments else FACTS
        return run(
            shell, "send", *places, "--url", url, *facts, *arguments, path=path, environment=environment, stdin=stdin
        )

    return call


def _request(heard: bytes) -> tuple[str, dict[str, str]]:
    line, *lines = heard.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return line, {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}


def _headers(server: Server) -> dict[str, str]:
    line, headers = _request(server.heard[0])
    assert line in {f"POST /v1/reports/image-boot/1 HTTP/1.{minor}" for minor in (0, 1)}
    return headers


@pytest.mark.parametrize(
    # A busybox that takes its own programs first does not find the other wget.
    ("program", "shell"),
    [(program, shell) for program in SECURE for shell in SHELLS if (program, shell) != ("wget", "busybox")],
)
def test_report_over_tls(
    program: str, shell: str, send: Callable[..., Ran], secure: Server, trusting: dict[str, str]
) -> None:
    ran = send(program, secure.url, shell=shell, environment=trusting)
    assert (ran.code, ran.out, ran.err) == (0, "accepted: the report is on the collector's disk\n", "")
    assert secure.body["product"] == "wordpress"
    headers = _headers(secure)
    assert set(headers) - {"accept", "accept-encoding"} == {
        "host",
        "user-agent",
        "content-type",
        "content-length",
        "connection",
    }
    assert headers["user-agent"] == "product-telemetry/1"
    assert headers["host"] == f"localhost:{secure.port}"


@each_shell
@pytest.mark.parametrize("program", PLAIN)
def test_report_to_this_machine(program: str, shell: str, send: Callable[..., Ran], plain: Server) -> None:
    assert send(program, plain.url, shell=shell).out == "accepted: the report is on the collector's disk\n"
    assert plain.body["product"] == "wordpress"
    assert _headers(plain)["connection"].lower() == "close"


@pytest.mark.parametrize("program", SECURE)
@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_certificate_that_does_not_fit_is_told_nothing(
    program: str, wrong: str, send: Callable[..., Ran], authority: trustme.CA, trusting: dict[str, str]
) -> None:
    strange = trustme.CA() if wrong == "authority" else authority
    for server in _server(strange, "localhost" if wrong == "authority" else "elsewhere.example.com"):
        ran = send(program, server.url, environment=trusting)
        assert ran.out.startswith("not sent (")
        assert "certificate" in ran.out
        assert "waits in the outbox" in ran.out
        assert server.connections == 1
        assert server.heard == []


@pytest.mark.parametrize("program", SECURE)
def test_redirect_is_not_followed(
    program: str, send: Callable[..., Ran], secure: Server, plain: Server, trusting: dict[str, str]
) -> None:
    secure.answer = f"HTTP/1.1 307 Away\r\nLocation: {plain.url}/\r\nContent-Length: 0\r\n\r\n".encode()
    assert send(program, secure.url, environment=trusting).out == "not sent (HTTP 307); it waits in the outbox\n"
    assert plain.connections == 0


@pytest.mark.parametrize("program", [*SECURE, "nc", "bash"])
def test_codes_and_retry_after_of_an_answer(
    program: str, send: Callable[..., Ran], secure: Server, plain: Server, trusting: dict[str, str], tmp_path: Path
) -> None:
    server = secure if program in SECURE else plain
    body = b'{\n "outcome": "overloaded",\n "field": "\\u0070roduct"}\n'
    server.answer = b"HTTP/1.1 429 No\r\nRetry-After: 77\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    ran = send(program, server.url, environment=trusting)
    assert ran.out == "not sent (HTTP 429, overloaded, product); it waits in the outbox\n"
    until = int((tmp_path / "state/not-before").read_text().split("not_before = ")[1].split("\n")[0])
    assert 70 < until - time.time() < 78


@pytest.mark.parametrize("program", [*SECURE, "nc", "bash"])
@pytest.mark.parametrize("behaviour", ["hangs", "drips", "floods", "drips without timeout(1)"])
def test_collector_that_does_not_end_is_left_in_time(
    program: str,
    behaviour: str,
    send: Callable[..., Ran],
    secure: Server,
    plain: Server,
    trusting: dict[str, str],
    tmp_path: Path,
) -> None:
    server = secure if program in SECURE else plain
    directory_of(tmp_path / f"with-{program}", (*USUAL, program))
    if "without" in behaviour:
        (tmp_path / f"with-{program}/timeout").unlink()
        (tmp_path / f"with-{program}/timeout").write_text("#!/nowhere\n")

    def behave(connection: socket.socket) -> None:
        if "drips" in behaviour:
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nX-Drip: ")
        if behaviour == "floods":
            connection.sendall(b"HTTP/1.1 202 Accepted\r\n\r\n")
        for _ in range(60):
            if behaviour != "hangs":
                connection.sendall(b"x" * (100_000 if behaviour == "floods" else 1))
            time.sleep(0.05)

    server.behave = behave
    started = time.monotonic()
    ran = send(program, server.url, "--timeout", "1", environment=trusting)
    assert time.monotonic() - started < 3
    assert ran.code == 0
    expected = "accepted" if behaviour == "floods" else "not sent (no answer in time); it waits in the outbox"
    assert ran.out.startswith(expected)


@pytest.mark.parametrize("program", ["curl", "openssl"])
def test_key_is_in_no_argument_variable_or_file(
    program: str, send: Callable[..., Ran], secure: Server, trusting: dict[str, str], tmp_path: Path
) -> None:
    seen: list[str] = []

    def behave(connection: socket.socket) -> None:
        # While every process of the client waits for this answer.
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    if KEY.encode() in (process / name).read_bytes() and int(process.name) != os.getpid():
                        seen.append(f"{process}/{name}")
        connection.sendall(ACCEPTED)

    secure.behave = behave
    hostile = dict.fromkeys(("body", "config", "value", "result", "v_license_key", "given_key", "t_body"), "x")
    ran = send(
        program,
        secure.url,
        *INSTALLBUILDER,
        environment={**trusting, **hostile, "SHELLOPTS": "allexport"},
        stdin=KEY.encode(),
    )
    assert ran.out == "accepted: the report is on the collector's disk\n"
    assert secure.body["license_key"] == KEY
    assert seen == []
    assert not any(KEY.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_wget_is_not_given_a_key(send: Callable[..., Ran], secure: Server, trusting: dict[str, str]) -> None:
    ran = send("wget", secure.url, *INSTALLBUILDER, environment=trusting, stdin=KEY.encode())
    assert ran.out == "not sent (no program here can send a licence key without a file: curl or openssl could)\n"
    assert secure.connections == 0


@each_shell
@pytest.mark.parametrize("program", ["", "busybox wget"])
def test_without_tls_nothing_is_sent_and_status_says_so(
    program: str, shell: str, send: Callable[..., Ran], secure: Server, tmp_path: Path
) -> None:
    path = tmp_path / "with-"
    if program:
        directory_of(path, ["busybox"])
        (path / "wget").symlink_to("busybox")
    ran = send("", secure.url, "--format", "json", shell=shell)
    assert (ran.code, ran.err, json.loads(ran.out)["outcome"]) == (0, "", "lost")
    assert secure.connections == 0
    assert {each.name for each in (tmp_path / "state").iterdir()} == {"consent", "last-send"}
    told = run(shell, "status", "--url", secure.url, "--format", "json", path=str(path)).out
    assert json.loads(told)["network"] == (
        "no program here can speak TLS (curl, wget or openssl): nothing can be sent to another machine"
    )


@pytest.mark.parametrize("program", SECURE)
def test_proxy_tunnels_and_the_password_is_no_argument(
    program: str, send: Callable[..., Ran], secure: Server, trusting: dict[str, str]
) -> None:
    asked: list[bytes] = []
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += connection.recv(4096)
                asked.append(request)
                for process in Path("/proc").glob("[0-9]*"):
                    with contextlib.suppress(OSError):
                        if b"s3cret" in (process / "cmdline").read_bytes():
                            seen.append(process.name)
                with socket.create_connection(("127.0.0.1", secure.port)) as other:
                    connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    thread = threading.Thread(target=_pump, args=(other, connection), daemon=True)
                    thread.start()
                    _pump(connection, other)
                    thread.join(5)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        user = "" if program == "openssl" else "user:s3cret@"
        proxy = {"TELEMETRY_PROXY": f"http://{user}127.0.0.1:{listening.getsockname()[1]}"}
        # The name is not one that this machine knows: the proxy leads to it.
        url = f"https://collector.example.com:{secure.port}"
        secure_name = trusting | proxy
        ran = send(program, url, environment=secure_name)
        thread.join(5)
    assert asked[0].startswith(f"CONNECT collector.example.com:{secure.port} HTTP/1.".encode())
    assert (b"Proxy-Authorization: Basic dXNlcjpzM2NyZXQ=" in asked[0]) == bool(user)
    assert seen == []
    # The tunnel's other end has the certificate of another name.
    assert "certificate" in ran.out
    assert secure.heard == []


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
