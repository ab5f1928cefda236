"""`verify`: the question about the collector's policy, the comparison, and answers that mean harm."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.clients import CLIENTS, Client, Place, Ran, alone, each
from tests.client.conformance.listener import Listener, Tunnel
from tests.client.conformance.sending import INSTALLBUILDER, KEY, agree, let_wait
from tests.client.conformance.test_conform_tls import TlsListener
from tests.client.conformance.verifications import PATH, Verification, read_verifications

if TYPE_CHECKING:
    import trustme

CASES = read_verifications()
REFERENCE = CLIENTS[0]
every_client = pytest.mark.parametrize("client", alone("verify"))
# wget sends the last two, which are the same for everybody.
HEADERS = {"host", "user-agent", "connection", "accept", "accept-encoding"}


def verify(client: Client, place: Place, url: str, *arguments: str, environment: dict[str, str] | None = None) -> Ran:
    return place.run(client, "verify", "--url", url, *arguments, environment=environment)


@pytest.mark.parametrize(("client", "case"), each("verify", CASES))
def test_verification(client: Client, case: Verification, place: Place, listener: Listener) -> None:
    listener.script = [case.data(listener.url)]
    url = f"{listener.url}/base"
    ran = verify(client, place, url, *case.arguments, "--format=json", environment=dict(case.environment))
    assert ran.err == ""
    assert ran.told == case.told(url, ran.told["why"])
    assert ran.code == case.code
    if case.outcome == "not compared":
        assert ran.told["why"]
        assert "CANARY" not in ran.out
    assert ran.out.isascii()
    assert ran.out.replace("\n", "").isprintable()


@every_client
@pytest.mark.parametrize(
    "name",
    [
        "one-field-withdrawn",
        "purpose-and-clause-changed",
        "field-added",
        "terminal-escape",
    ],
)
def test_words(client: Client, place: Place, name: str) -> None:
    printed = []
    for one in (REFERENCE, client):
        with Listener() as listener:
            listener.script = [CASES[name].data("")]
            ran = verify(one, place, listener.url, environment=dict(CASES[name].environment))
        assert (ran.code, ran.err) == (CASES[name].code, "")
        printed.append(ran.out.replace(listener.url, "URL"))
    assert printed[0] == printed[1]
    assert printed[0].startswith(f"Asked          URL{PATH}\nBuilt with     Privacy policy")
    assert printed[0].replace("\n", "").isprintable()


def test_words_are_those_of_the_contract(place: Place, listener: Listener) -> None:
    date_and_more = Verification(
        without=("image-boot/1 language ",),
        instead={"policy dated": "2026-06-01"},
        added=CASES["field-added"].added,
    )
    listener.script = [date_and_more.data("")]
    out = verify(REFERENCE, place, listener.url).out
    assert out.partition("\nCollector")[2].splitlines() == [
        "      differs from what this client was built with, in 3 points",
        '               policy dated: now "2026-06-01", here "2026-01-15"',
        "               image-boot/1 language: withdrawn",
        "               image-boot/1 hostname: newly permitted, from vm, cloud; this client does not send it",
        "From here      image-boot/1, source vm: no longer permitted: language",
    ]


@every_client
def test_question_tells_nothing_and_changes_nothing_also_where_telemetry_is_off(
    client: Client, place: Place, listener: Listener
) -> None:
    place.put(place.state / "consent", "choice = off\nchosen_at = 1\n")
    let_wait(place, listener.url, 1_000_000_000)
    before = _files(place)
    listener.script = [CASES["same"].data("")]
    environment = {"DO_NOT_TRACK": "1", "TELEMETRY": "off", "TELEMETRY_LICENSE_KEY": KEY}
    ran = verify(client, place, f"{listener.url}/base", *INSTALLBUILDER[:2], environment=environment)
    assert (ran.code, listener.connections) == (0, 1), ran
    (request,) = listener.requests
    assert request.line in {f"GET /base{PATH} HTTP/1.{minor}" for minor in (0, 1)}
    assert {name.lower() for name in request.headers} <= HEADERS
    assert request.headers["User-Agent"] == "product-telemetry/1"
    assert request.body == b""
    assert KEY not in ran.out
    assert _files(place) == before
    assert "it connects also where telemetry is off" in " ".join(place.run(client, "verify", "--help").out.split())


@every_client
def test_collector_that_is_not_there(client: Client, place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    ran = verify(client, place, f"http://127.0.0.1:{port}", "--format=json")
    assert (ran.code, ran.told["outcome"], ran.told["is_within"]) == (2, "not compared", None)
    assert ran.told["why"].startswith("connection failed (")


@every_client
def test_collector_that_never_answers(client: Client, place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ran = verify(client, place, f"http://127.0.0.1:{silent.getsockname()[1]}", "--timeout=0.7", "--format=json")
    assert (ran.code, ran.told["why"]) == (2, "no answer in time")


@every_client
def test_nobody_is_asked_where_address_or_proxy_is_not_usable(client: Client, place: Place, listener: Listener) -> None:
    for url, environment, why, asked in (
        ("", {}, "no collector is known: use --url, TELEMETRY_URL or a configuration file", "nobody"),
        ("http://example.com", {}, "the collector's address (given by the caller) is not usable: ", "nobody"),
        (
            "https://example.com",
            {"TELEMETRY_PROXY": "ftp://x"},
            "the proxy (environment TELEMETRY_PROXY) is not",
            "https",
        ),
    ):
        ran = verify(client, place, url, environment={"https_proxy": listener.url, **environment})
        assert (ran.code, ran.err) == (2, "")
        assert ran.out.startswith(f"Asked          {asked}")
        assert f"\nCollector      not compared: {why}" in ran.out
        assert "From here" not in ran.out
    assert listener.connections == 0


@every_client
def test_certificate(client: Client, place: Place, authority: trustme.CA, trusting: dict[str, str]) -> None:
    for name, environment, code in (("127.0.0.1", trusting, 0), ("127.0.0.1", {}, 2), ("other.example", trusting, 2)):
        with TlsListener(authority.issue_cert(name)) as listener:
            listener.script = [CASES["same"].data("")]
            ran = verify(client, place, listener.url, "--format=json", environment=environment)
        assert (ran.code, ran.told["outcome"]) == (code, "not compared" if code else "same"), ran
        assert len(listener.requests) == (0 if code else 1)


@every_client
def test_through_a_proxy(client: Client, place: Place, authority: trustme.CA, trusting: dict[str, str]) -> None:
    with TlsListener(authority.issue_cert("telemetry.example.com")) as listener, Tunnel(listener.port) as proxy:
        listener.script = [CASES["one-field-withdrawn"].data("")]
        environment = {**trusting, "https_proxy": f"http://127.0.0.1:{proxy.port}"}
        ran = verify(client, place, "https://telemetry.example.com", "--format=json", environment=environment)
    assert (ran.code, ran.told["not_within"]) == (1, ["language"]), ran
    assert ran.told["proxy"] == f"127.0.0.1:{proxy.port}"
    assert proxy.requests[0].line.startswith("CONNECT telemetry.example.com:443 ")


@every_client
def test_show_names_the_policy_that_it_was_built_with(client: Client, place: Place) -> None:
    agree(place)
    told = place.tell(client, "show")["policy"]
    assert told == CASES["same"].told("", None)["policy"]
    lines = place.run(client, "show").out.splitlines()
    line = f"Policy         {told['title']} of {told['dated']} ({told['id']}), {told['url']}"
    built_in = "built into this client; `telemetry-client verify` compares it with the collector's"
    assert lines[lines.index(line) + 1] == f"               {built_in}"


@every_client
def test_wrong_use(client: Client, place: Place) -> None:
    for arguments in (("--dry-run",), ("--timeout=0",), ("--language=de",), ("word",)):
        assert place.run(client, "verify", *arguments).code == 2


def _files(place: Place) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in place.base.rglob("*") if path.is_file()}
