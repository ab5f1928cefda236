"""Through a proxy, on real sockets: TLS end to end, credentials for the proxy alone, and no way round it."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from hypothesis import given as for_all
from hypothesis import strategies as st

from telemetry_client.configuration import Configuration
from telemetry_client.connecting import ProxyRefusedError, open_tunnel
from telemetry_client.deadline import Deadline
from telemetry_client.endpoint import Endpoint, parse_endpoint
from telemetry_client.fact import Fact
from telemetry_client.proxy import Proxy, UnusableProxy, find_proxy, is_excepted, parse_proxy
from telemetry_client.transport import Answer, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.client.conftest import Cli, Place

NAME = "telemetry.example.com"
URL = f"https://{NAME}"
FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
PASSWORD = "canary-password"  # noqa: S105 - opens nothing
OK = b"HTTP/1.1 200 OK\r\nVia: canary\r\n\r\n"


class Certificates(NamedTuple):
    authority: str
    right: trustme.LeafCert
    wrong: trustme.LeafCert


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return Certificates(str(file), authority.issue_cert(NAME), authority.issue_cert("elsewhere.example.com"))


class TunnelEnd:
    """A proxy and the collector at the other end of its tunnel, in one."""

    def __init__(self, certificate: trustme.LeafCert, answer: bytes = OK) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self.context)
        self.answer = answer
        self.asked: list[bytes] = []
        self.received: list[bytes] = []
        self.after: Callable[[socket.socket], None] = self._collect
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listening.getsockname()[1]}"
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                with connection, contextlib.suppress(OSError):
                    asked = b""
                    while not asked.endswith(b"\r\n\r\n"):
                        asked += connection.recv(1) or b"\r\n\r\n"
                    self.asked.append(asked)
                    connection.sendall(self.answer)
                    self.after(connection)

    def _collect(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as secure:
            request = b""
            while not request.endswith(b"}"):
                request += secure.recv(65536) or b"}"
            self.received.append(request)
            secure.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    def close(self) -> None:
        self.is_over.set()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listening.close()


@pytest.fixture
def tunnel(certificates: Certificates) -> Iterator[Callable[..., TunnelEnd]]:
    with contextlib.ExitStack() as stack:

        def start(answer: bytes = OK, *, is_right: bool = True) -> TunnelEnd:
            end = TunnelEnd(certificates.right if is_right else certificates.wrong, answer)
            stack.callback(end.close)
            return end

        yield start


@pytest.fixture
def _trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificates.authority)


def _post(address: str, seconds: float = 5, credentials: bytes = b"") -> tuple[Answer, float]:
    endpoint = parse_endpoint(URL)
    assert isinstance(endpoint, Endpoint)
    host, _, port = address.rpartition(":")
    started = time.monotonic()
    proxy = Proxy(host, int(port), "a test", credentials)
    answer = post(endpoint, "/v1/reports/image-boot/1", b'{"product":"canary"}', Deadline(seconds), proxy)
    return answer, time.monotonic() - started


@pytest.mark.usefixtures("_trusted")
def test_the_report_goes_through_the_proxy_which_sees_the_name_alone(tunnel: Callable[..., TunnelEnd]) -> None:
    end = tunnel()
    answer, _ = _post(end.address, credentials=b"ann:" + PASSWORD.encode())
    assert (answer.status, answer.was_handed) == (202, True)
    expected = base64.b64encode(b"ann:" + PASSWORD.encode())
    lines = [b"CONNECT " + NAME.encode() + b":443 HTTP/1.1", b"Host: " + NAME.encode() + b":443"]
    assert end.asked[0].splitlines() == [*lines, b"Proxy-Authorization: Basic " + expected, b""]
    head, _, body = end.received[0].partition(b"\r\n\r\n")
    assert body == b'{"product":"canary"}'
    assert b"Proxy" not in head
    assert expected not in head
    assert b"Host: telemetry.example.com\r\n" in head


@pytest.mark.usefixtures("_trusted")
def test_a_proxy_that_answers_in_the_collectors_place_is_not_believed(tunnel: Callable[..., TunnelEnd]) -> None:
    end = tunnel(is_right=False)
    answer, _ = _post(end.address)
    assert "SSLCertVerificationError" in answer.trouble
    assert (answer.status, answer.was_handed, end.received) == (0, False, [])


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n", "the proxy answered HTTP 407"),
        (b"HTTP/1.0 502 No\r\n\r\n", "the proxy answered HTTP 502"),
        (b"HTTP/1.1 302 Go\r\nLocation: http://elsewhere\r\n\r\n", "the proxy answered HTTP 302"),
        (b"", "no proxy is there"),
        (b"SSH-2.0-canary\r\n\r\n", "no proxy is there"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000, "no proxy is there"),
    ],
)
def test_a_proxy_that_does_not_connect_is_told_and_gets_no_body(
    said: bytes, trouble: str, tunnel: Callable[..., TunnelEnd]
) -> None:
    end = tunnel(said)
    end.after = lambda _connection: None
    answer, _ = _post(end.address)
    assert answer.trouble == trouble
    assert not answer.was_handed
    assert len(end.asked) == 1


@pytest.mark.parametrize("stage", ["connect", "tunnel"])
def test_a_proxy_that_drips_or_hangs_is_left_in_time_with_nothing_behind(
    stage: str, tunnel: Callable[..., TunnelEnd]
) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            for _ in range(400):
                connection.sendall(b"\x16" if stage == "tunnel" else b"X")
                time.sleep(0.02)
        except OSError:
            gone.set()

    # In the first stage within the proxy's own answer, in the second within what should be TLS.
    end = tunnel(b"HTTP/1.1 200 OK\r\nX: " if stage == "connect" else OK + b"\x16\x03\x03\x40\x00")
    end.after = drip
    answer, took = _post(end.address, 0.4)
    assert (answer.trouble, answer.was_handed) == ("no answer in time", False)
    assert took < 0.7
    assert gone.wait(2)
    time.sleep(0.05)
    assert [thread for thread in threading.enumerate() if thread.name == "telemetry-client"] == []


def test_nothing_listens_or_has_the_proxys_name() -> None:
    assert "ConnectionRefusedError" in _post("127.0.0.1:9")[0].trouble
    assert _post("proxy.invalid:80")[0].trouble == "the proxy's name cannot be resolved"


def test_an_ipv6_collector_is_asked_for_in_brackets() -> None:
    one, other = socket.socketpair()
    with one, other:
        other.sendall(OK)
        endpoint = parse_endpoint("https://[2001:db8::1]:8443")
        assert isinstance(endpoint, Endpoint)
        open_tunnel(one, endpoint, Proxy("127.0.0.1", 1, ""))
        assert other.recv(4096).startswith(b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n")
        other.sendall(b"HTTP/1.1 403 No\r\n\r\n")
        with pytest.raises(ProxyRefusedError) as refused:
            open_tunnel(one, endpoint, Proxy("127.0.0.1", 1, ""))
        assert refused.value.status == 403


@pytest.mark.parametrize(
    ("written", "host", "port", "credentials"),
    [
        ("http://proxy.example.com:3128", "proxy.example.com", 3128, b""),
        ("proxy.example.com:3128/", "proxy.example.com", 3128, b""),
        ("HTTP://proxy", "proxy", 80, b""),
        ("http://ann:p%40ss@10.0.0.1:8080/", "10.0.0.1", 8080, b"ann:p@ss"),
        ("ann:@proxy", "proxy", 80, b"ann:"),
        ("http://[2001:db8::1]:3128", "2001:db8::1", 3128, b""),
    ],
)
def test_proxies_that_are_used(written: str, host: str, port: int, credentials: bytes) -> None:
    proxy = parse_proxy(Fact(written, "environment https_proxy"))
    assert proxy == Proxy(host, port, "environment https_proxy", credentials)


@pytest.mark.parametrize(
    "written",
    [
        "https://proxy:443",
        "socks5://proxy:1080",
        "http://",
        "http://proxy:0",
        "http://proxy:99999",
        "http://proxy/path",
        "http://proxy?x",
        "http://a b",
        "http://user@proxy",
        f"http://ann:{PASSWORD}@",
        f"http://ann:{PASSWORD}@pro xy",
        "http://pr\u00f6xy",
        "http://proxy\nX: y",
        "-proxy",
    ],
)
def test_proxies_that_are_not_used_and_not_repeated(written: str) -> None:
    found = parse_proxy(Fact(written, "environment https_proxy"))
    why = "the proxy (environment https_proxy) is not usable: it does not begin with http:// and a host name"
    assert found == UnusableProxy(why)


@for_all(st.text(max_size=40))
def test_any_text_is_a_proxy_or_is_not(written: str) -> None:
    found = parse_proxy(Fact(written, "x"))
    assert isinstance(found, UnusableProxy) or (0 < found.port < 65536 and found.host.isascii())


def test_a_proxys_credentials_do_not_show() -> None:
    proxy = parse_proxy(Fact(f"http://ann:{PASSWORD}@proxy:1", "x"))
    assert isinstance(proxy, Proxy)
    assert (repr(proxy), proxy.shown) == ("Proxy(proxy:1)", "proxy:1")


def test_the_first_place_that_says_anything_counts() -> None:
    file = Configuration(proxy=Fact("http://file", "a file"))
    environ = {"https_proxy": " ", "HTTPS_PROXY": "http://upper", "all_proxy": "http://all", "http_proxy": "http://not"}

    def host(configuration: Configuration, environ: dict[str, str]) -> str | None:
        found = find_proxy(configuration, environ, NAME)
        return found.host if isinstance(found, Proxy) else None

    assert host(file, environ) == "file"
    assert host(Configuration(), environ) == "upper"
    assert host(Configuration(), {**environ, "https_proxy": "http://lower"}) == "lower"
    assert host(Configuration(), {"http_proxy": "http://not"}) is None
    assert host(Configuration(proxy=Fact("NONE", "a file")), environ) is None


@pytest.mark.parametrize(
    ("host", "exceptions", "is_so"),
    [
        (NAME, "*", True),
        (NAME, "example.com", True),
        (NAME, "other.org, .EXAMPLE.com", True),
        (NAME, "other.org telemetry.example.com", True),
        (NAME, "ample.com", False),
        (NAME, "telemetry.example.com.evil.org", False),
        (NAME, "", False),
        (NAME, ",. ,", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.10", "10.0.0.1", False),
        ("2001:db8::1", "[2001:DB8:0::1]", True),
    ],
)
def test_no_proxy_names_hosts_and_the_domains_above_them(host: str, exceptions: str, is_so: bool) -> None:
    assert is_excepted(host, exceptions) is is_so


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_never_proxied(host: str) -> None:
    assert find_proxy(Configuration(), {"https_proxy": "http://proxy"}, host) is None


def test_send_goes_through_and_the_password_is_nowhere(
    cli: Cli, tunnel: Callable[..., TunnelEnd], certificates: Certificates, tmp_path: Path
) -> None:
    end = tunnel()
    cli("on")
    environ = {"SSL_CERT_FILE": certificates.authority, "https_proxy": f"http://ann:{PASSWORD}@{end.address}"}
    sent = cli("send", "--url", URL, *FACTS, env=environ)
    assert "accepted" in sent.stdout
    assert len(end.received) == 1
    shown, status = (cli(verb, "--format", "json", "--url", URL, env=environ) for verb in ("show", "status"))
    assert json.loads(shown.stdout)["proxy"] == end.address
    told = json.loads(status.stdout)
    assert (told["proxy"], told["proxy_from"], told["proxy_problem"]) == (end.address, "environment https_proxy", None)
    text = cli("status", "--url", URL, env=environ).stdout + cli("show", "--url", URL, *FACTS, env=environ).stdout
    assert end.address in text
    said = sent.stdout + sent.stderr + shown.stdout + status.stdout + text
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert PASSWORD not in said
    assert PASSWORD.encode() not in stored
    direct = json.loads(cli("status", "--format", "json", "--url", URL, env={**environ, "no_proxy": "*"}).stdout)
    assert (direct["proxy"], direct["proxy_from"]) == (None, None)


def test_a_proxy_that_is_not_understood_is_not_gone_round(cli: Cli, place: Place) -> None:
    place("/etc/telemetry-client/config", f"telemetry = on\nproxy = socks5://ann:{PASSWORD}@proxy\n")
    sent = cli("send", "--url", URL, "--format", "json", *FACTS)
    told = json.loads(sent.stdout)
    assert (sent.returncode, told["outcome"]) == (2, "unusable")
    config = cli.root / "etc/telemetry-client/config"
    why = f"the proxy ({config} line 2) is not usable: it does not begin with http:// and a host name"
    assert told["message"] == why
    assert json.loads(cli("status", "--url", URL, "--format", "json").stdout)["proxy_problem"] == why
    assert why in cli("show", "--url", URL, *FACTS).stdout
    assert not (cli.state / "outbox").exists()


@pytest.mark.parametrize(("line", "proxy"), [("proxy = none", None), ("proxy =", "other:80")])
def test_a_file_may_say_none_or_nothing(line: str, proxy: str | None, cli: Cli, place: Place) -> None:
    place("/etc/telemetry-client/config", f"telemetry = on\n{line}\n")
    told = json.loads(cli("status", "--url", URL, "--format", "json", env={"all_proxy": "http://other"}).stdout)
    assert (told["proxy"], told["telemetry"]) == (proxy, "on")
