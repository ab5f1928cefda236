"""Arguments, addresses and proxies: what is taken, what is refused, and in which words."""

from __future__ import annotations

import base64
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.conformance.clients import Client, Place, alone, each
from tests.client.conformance.listener import Listener
from tests.client.conformance.sending import INSTALLBUILDER, NGINX, agree
from tests.client.conformance.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

USAGE = tomllib.loads((Path(__file__).parent / "usage.toml").read_text())
COLLECTOR = "https://telemetry.example.com"
every_client = pytest.mark.parametrize("client", alone("usage"))


@dataclass(frozen=True)
class Proxied(Tree):
    """One setting of a proxy, and what `status` tells of it."""

    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = COLLECTOR
    proxy: str | None = None
    origin: str | None = None
    problem: str | None = None


PROXIES = {
    name: Proxied(**{("origin" if key == "from" else key): value for key, value in said.items()})
    for name, said in USAGE["proxies"].items()
}
ADDRESSES = {address: (address, told) for address, told in USAGE["collectors"].items()}


@pytest.mark.parametrize(("client", "address"), each("usage", ADDRESSES))
def test_address(client: Client, place: Place, address: tuple[str, str]) -> None:
    written, told = address
    agree(place)
    status = place.tell(client, "status", environment={"TELEMETRY_URL": written})
    origin = "environment TELEMETRY_URL"
    found = (status["collector"], status["collector_from"], status["collector_problem"])
    if told.startswith("http"):
        assert found == (told, origin, None)
        return
    problem = f"the collector's address ({origin}) is not usable: {told}"
    assert found == (None, None, problem)
    ran = place.run(client, "send", *NGINX, "--format", "json", environment={"TELEMETRY_URL": written})
    assert (ran.code, ran.told) == (2, {"outcome": "unusable", "message": problem, "also_sent": 0})


@pytest.mark.parametrize(("client", "proxied"), each("usage", PROXIES))
def test_proxy(client: Client, place: Place, proxied: Proxied) -> None:
    proxied.stand(place)
    agree(place)
    told = place.tell(client, "status", "--url", proxied.url, environment=proxied.environment)
    problem = place.fill(proxied.problem) if proxied.problem else None
    origin = place.fill(proxied.origin) if proxied.origin else None
    assert (told["proxy"], told["proxy_problem"]) == (proxied.proxy, problem)
    if not problem:
        assert told["proxy_from"] == origin
        return
    ran = place.run(client, "send", *NGINX, "--url", proxied.url, "--format", "json", environment=proxied.environment)
    assert (ran.code, ran.told) == (2, {"outcome": "unusable", "message": problem, "also_sent": 0})
    assert {path.name for path in place.state.iterdir()} == {"consent", "last-send"}
    assert place.tell(client, "status", "--url", proxied.url)["last_send"]["message"] == problem


@every_client
def test_proxy_is_asked_for_the_collector_alone(client: Client, place: Place, listener: Listener) -> None:
    agree(place)
    listener.script = [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]
    environment = {"https_proxy": f"http://us%40er:word@127.0.0.1:{listener.port}"}
    told = place.tell(client, "send", *NGINX, "--url", COLLECTOR, environment=environment)
    assert told["outcome"] == "waiting"
    (request,) = listener.requests
    assert request.line in {f"CONNECT telemetry.example.com:443 HTTP/1.{minor}" for minor in (0, 1)}
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode(b"us@er:word").decode()
    assert set(headers) <= {"host", "proxy-authorization", "user-agent", "proxy-connection", "connection"}
    assert headers.get("user-agent", "product-telemetry/1") == "product-telemetry/1"
    assert request.body == b""
    assert len(place.bodies()) == 1
    assert "word" not in told["message"]


@every_client
def test_proxy_is_not_asked_where_nothing_may_be_sent(client: Client, place: Place, listener: Listener) -> None:
    environment = {"https_proxy": listener.url, "DO_NOT_TRACK": "1"}
    assert place.tell(client, "send", *NGINX, "--url", COLLECTOR, environment=environment)["outcome"] == "opted out"
    assert listener.connections == 0


@every_client
def test_options_in_both_forms(client: Client, place: Place) -> None:
    one = place.tell(client, "show", "--product", "nginx", "--product-version", "1.27.3", "--language", "de-DE")
    other = place.tell(client, "show", "--language=de-DE", "--product-version=1.27.3", "--product=nginx")
    assert [each["value"] for each in one["fields"][1:]] == [each["value"] for each in other["fields"][1:]]
    assert one["fields"][1]["value"] == "vm"


@every_client
def test_what_is_not_understood_ends_with_2(client: Client, place: Place, listener: Listener) -> None:
    agree(place)
    good = ("send", *NGINX, "--url", listener.url)
    for arguments in (
        ("sned",),
        (),
        (*good, "--prod", "x"),
        (*good, "--unknown"),
        (*good, "word"),
        (*good, "-kcanary-of-a-key"),
        (*good, "--timeout", "0"),
        (*good, "--timeout", "-1"),
        (*good, "--timeout", "61"),
        (*good, "--timeout", "nan"),
        (*good, "--timeout"),
        (*good, "--source", "moon"),
        (*good, "--format", "xml"),
        (*good, "--url", "http://example.com"),
        ("on", "--url", listener.url),
        ("off", "--product", "nginx"),
        ("status", "--dry-run"),
        ("show", "--timeout", "3"),
        ("seal", "--format", "json"),
        ("log", "--url", listener.url),
    ):
        ran = place.run(client, *(arguments or ("",)))
        assert (ran.code, ran.out) == (2, ""), arguments
        assert ran.err, arguments
        # A key may be glued to a letter.
        assert "canary" not in ran.err
    assert listener.connections == 0
    assert {path.name for path in place.state.iterdir()} == {"consent"}


@every_client
def test_what_is_needed_and_unknown(client: Client, place: Place) -> None:
    agree(place)
    for arguments, message in (
        (NGINX, "no collector is known: use --url, TELEMETRY_URL or a configuration file"),
        (
            ("--url", COLLECTOR),
            "unknown or not in its format: product, product_version; see `telemetry-client show`",
        ),
        (
            ("--url", COLLECTOR, "--product", "installbuilder", "--product-version", "x"),
            "unknown or not in its format: product_version; see `telemetry-client show`",
        ),
    ):
        ran = place.run(client, "send", *arguments, "--format", "json")
        assert (ran.code, ran.told) == (2, {"outcome": "unusable", "message": message, "also_sent": 0})
        assert place.run(client, "send", *arguments).out == f"{message}\n"


@every_client
def test_collector_of_the_files(client: Client, place: Place) -> None:
    place.put(place.in_root("/etc/telemetry-client/image"), "url = https://image.example.com\n")
    status = place.tell(client, "status")
    assert (status["collector"], status["collector_from"]) == (
        "https://image.example.com",
        f"{place.root}/etc/telemetry-client/image line 1",
    )
    assert status["network"] == "https, certificate always verified; no redirects, 8 s at most"
    place.put(place.in_root("/etc/telemetry-client/config"), "URL=https://admin.example.com\n")
    assert place.tell(client, "status")["collector"] == "https://admin.example.com"
    told = place.tell(client, "show", *INSTALLBUILDER)
    assert told["url"] == "https://admin.example.com/v1/reports/installbuilder-run/1"


@every_client
def test_words_of_on_and_off(client: Client, place: Place) -> None:
    state, default = f"{place.state}/consent", f"{place.default}/consent"
    ran = place.run(client, "off")
    assert (ran.code, ran.out, ran.err) == (0, f"off, stored in {state} and {default}\n", "")
    ran = place.run(client, "on", environment={"DO_NOT_TRACK": "1"})
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"on, stored in {state}",
        f"an earlier off was lifted: {default}",
        "still nothing is sent: the environment variable DO_NOT_TRACK is set",
    ]
    ran = place.run(client, "on")
    assert ran.out.splitlines() == [
        f"on, stored in {state}",
        "`telemetry-client show` shows what is sent, `telemetry-client off` ends it",
    ]


@every_client
def test_state_directory_that_cannot_be_made(client: Client, place: Place, listener: Listener) -> None:
    blocked = place.put(place.home / "file", "")
    where = ("--root", str(place.root), "--state-dir", str(blocked / "state"))
    ran = place.run(client, "on", where=where)
    assert (ran.code, ran.out) == (1, "")
    assert f"on could not be stored: {blocked}/state/consent: " in ran.err
    ran = place.run(
        client,
        "send",
        *NGINX,
        "--url",
        listener.url,
        "--format=json",
        where=where,
        environment={"TELEMETRY": "on"},
    )
    assert (ran.code, ran.told["outcome"]) == (0, "accepted")


@every_client
def test_names_in_the_state_directorys_path(client: Client, place: Place, listener: Listener) -> None:
    for name in ("a b", "$(touch ran)", "'\"", "-n", "*", "back\\slash", "ünïcode", "new\nline", "%s"):
        where = ("--root", str(place.root), f"--state-dir={place.home}/{name}")
        assert place.run(client, "on", where=where).code == 0
        told = place.tell(client, "status", where=where)
        assert told["state_directory"] == f"{place.home}/{name}"
        assert (told["telemetry"], told["reason"]) == ("on", f"{place.home}/{name}/consent says on")
        sent: dict[str, Any] = place.tell(client, "send", *NGINX, "--url", listener.url, where=where)
        assert sent["outcome"] == "accepted"
        assert (place.home / name / "sent").exists()


@every_client
def test_state_directory_is_found_in_order(client: Client, place: Place) -> None:
    root = ("--root", str(place.root))
    assert place.tell(client, "status", where=root)["state_directory"] == str(place.default)
    environment = {"TELEMETRY_STATE_DIR": str(place.home / "named")}
    assert place.tell(client, "status", where=root, environment=environment)["state_directory"] == str(
        place.home / "named"
    )
    told = place.tell(client, "status", environment=environment)
    assert told["state_directory"] == str(place.state)
    relative = place.tell(client, "status", where=(*root, "--state-dir", "here"))
    assert relative["state_directory"] == str(place.current / "here")


@every_client
def test_notice_that_cannot_be_shown_keeps_all_back(client: Client, place: Place, listener: Listener) -> None:
    place.put(place.in_root("/etc/telemetry-client/image"), "default = on\n")
    told = place.tell(client, "show", *NGINX, "--url", listener.url)
    assert (told["would_be_sent"], told["notice_comes_first"]) == (True, True)
    for standard_error in ("closed", "full"):
        ran = place.run(
            client, "send", *NGINX, "--url", listener.url, "--format", "json", standard_error=standard_error
        )
        assert ran.code == 0
        assert ran.told["outcome"] == "opted out"
        assert ran.told["message"] == "nothing was sent: the notice that comes first could not be shown"
    assert listener.connections == 0
    assert not (place.state / "notice").exists()
