"""A collector whose certificate is not trusted hears nothing; and a send in the background keeps nobody waiting."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.client.conformance.clients import Client, Place, alone
from tests.client.conformance.listener import ACCEPTED, Listener, Tunnel
from tests.client.conformance.sending import NGINX, agree

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTS_FRESH = True
every_client = pytest.mark.parametrize("client", alone("tls"))


class TlsListener(Listener):
    """The same, over TLS with this certificate."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        super().__init__()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        self.url = f"https://127.0.0.1:{self.port}"

    def _answer(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as secure:
            super()._answer(secure)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@every_client
def test_trusted_certificate(client: Client, place: Place, authority: trustme.CA, trusting: dict[str, str]) -> None:
    agree(place)
    with TlsListener(authority.issue_cert("127.0.0.1")) as listener:
        told = place.tell(client, "send", *NGINX, "--url", listener.url, environment=trusting)
    assert told["outcome"] == "accepted", told
    assert listener.requests[0].fields["product"] == "nginx"


@every_client
@pytest.mark.parametrize("flaw", ["unknown authority", "another name"])
def test_certificate_that_is_not_trusted(
    client: Client, place: Place, authority: trustme.CA, trusting: dict[str, str], flaw: str
) -> None:
    agree(place)
    name = "127.0.0.1" if flaw == "unknown authority" else "other.example.com"
    environment = {} if flaw == "unknown authority" else trusting
    with TlsListener(authority.issue_cert(name)) as listener:
        told = place.tell(client, "send", *NGINX, "--url", listener.url, environment=environment)
    assert told["outcome"] == "waiting"
    assert len(place.waiting()) == 1
    assert listener.requests == []


@every_client
def test_through_a_proxy(client: Client, place: Place, authority: trustme.CA, trusting: dict[str, str]) -> None:
    agree(place)
    with TlsListener(authority.issue_cert("telemetry.example.com")) as listener, Tunnel(listener.port) as proxy:
        environment = {**trusting, "https_proxy": f"http://127.0.0.1:{proxy.port}"}
        told = place.tell(client, "send", *NGINX, "--url", "https://telemetry.example.com", environment=environment)
    assert told["outcome"] == "accepted", told
    assert proxy.requests[0].line.startswith("CONNECT telemetry.example.com:443 ")
    assert listener.requests[0].fields["product"] == "nginx"


@every_client
def test_background_keeps_nobody_waiting(client: Client, place: Place, silent: socket.socket) -> None:
    agree(place)
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    started = time.monotonic()
    # The caller's pipes are read to their ends: a process that kept one of them open would be waited for.
    told = place.tell(client, "send", *NGINX, "--url", url, "--background", "--timeout", "3")
    assert time.monotonic() - started < 2.5
    assert told == {
        "outcome": "in the background",
        "message": "sending in the background; `telemetry-client log` shows what was sent",
        "also_sent": 0,
    }
    _wait_until(lambda: bool(place.sent()), 6)
    assert [line["status"] for line in place.sent()] == [0]
    assert len(place.waiting()) == 1


@every_client
def test_background_sends(client: Client, place: Place, listener: Listener) -> None:
    agree(place)
    listener.script = [ACCEPTED]
    place.tell(client, "send", *NGINX, "--url", listener.url, "--background")
    _wait_until(lambda: bool(place.sent()) and not place.waiting(), 6)
    assert listener.connections == 1


@every_client
def test_background_where_nothing_may_be_sent(client: Client, place: Place, listener: Listener) -> None:
    told = place.tell(client, "send", *NGINX, "--url", listener.url, "--background")
    assert told["outcome"] == "opted out"
    assert listener.connections == 0


def _wait_until(happened: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
