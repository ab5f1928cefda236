"""What clients print for people is the same line for line: the reference client's, in every other client."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.client.conformance.answers import Answer
from tests.client.conformance.clients import CLIENTS, Client, Place, alone
from tests.client.conformance.listener import Listener
from tests.client.conformance.machines import read_machines
from tests.client.conformance.sending import INSTALLBUILDER, KEY, NGINX, agree, boot, let_wait
from tests.client.conformance.situations import read_situations

REFERENCE = CLIENTS[0]
MACHINES = read_machines()
SITUATIONS = read_situations()
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECONDS = re.compile(r"(for|another) [0-9]+ s")
every_client = pytest.mark.parametrize("client", alone("text"))


def _same(client: Client, place: Place, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What both clients print, which is checked to be the same, but for ids and time."""
    one, other = (place.run(each, *arguments, environment=environment) for each in (REFERENCE, client))
    assert other.code == one.code
    assert other.err == one.err
    assert _plain(other.out) == _plain(one.out)
    return other.out


def _plain(text: str) -> str:
    return _SECONDS.sub(r"\1 N s", _UUID.sub("ID", text))


@every_client
@pytest.mark.parametrize(
    "name",
    [
        "clouds/azure",
        "clouds/instance-type-is-not-one",
        "systems/minimal",
        "products/several-components-tell-no-product",
    ],
)
def test_show(client: Client, place: Place, name: str) -> None:
    machine = MACHINES[name]
    machine.stand(place)
    out = _same(client, place, "show", *machine.arguments, environment=dict(machine.environment))
    assert "What is in it, where each value comes from, and what it is for" in out


@every_client
def test_show_of_what_would_be_sent(client: Client, place: Place) -> None:
    agree(place)
    facts = (*NGINX, "--url", "https://telemetry.example.com/base")
    assert "Would be sent  yes: " in _same(client, place, "show", *facts)
    assert "********" in _same(client, place, "show", *INSTALLBUILDER, environment={"TELEMETRY_LICENSE_KEY": KEY})
    assert KEY in _same(
        client, place, "show", *INSTALLBUILDER, "--reveal-key", environment={"TELEMETRY_LICENSE_KEY": KEY}
    )
    place.put(place.state / "stopped", "version = 1\n")
    assert "the collector told this version of the client to stop" in _same(client, place, "show", *facts)
    place.put(place.state / "stopped", "version = 0\n")
    assert "Would be sent  yes: " in _same(client, place, "show", *facts)


@every_client
def test_show_json_of_what_would_be_sent(client: Client, place: Place) -> None:
    agree(place)
    boot(place)
    for environment in ({}, {"https_proxy": "http://proxy.example.com"}, {"https_proxy": "ftp://proxy.example.com"}):
        told = [
            place.tell(each, "show", *NGINX, "--url", "https://telemetry.example.com/base", environment=environment)
            for each in (REFERENCE, client)
        ]
        for each in told:
            each["body"] = _plain(each["body"])
            each["fields"][0]["value"] = "ID"
        assert told[0] == told[1]


@every_client
@pytest.mark.parametrize(
    "name",
    [
        "stored/default-on",
        "administrator/two-lines-not-understood",
        "environment/ci",
        "administrator/file-of-the-product",
    ],
)
def test_status(client: Client, place: Place, name: str) -> None:
    situation = SITUATIONS[name]
    situation.stand(place)
    _same(client, place, "status", *situation.arguments, environment=dict(situation.environment))
    let_wait(place, "https://telemetry.example.com", int(time.time()) - 100)
    boot(place)
    out = _same(
        client, place, "status", "--url=https://telemetry.example.com", environment={"https_proxy": "a.example:3128"}
    )
    assert "1 waiting" in out


@every_client
def test_status_of_a_used_state(client: Client, place: Place, listener: Listener) -> None:
    agree(place)
    boot(place)
    listener.script = [Answer("", 503, {"Retry-After": "900"}).data("")]
    place.run(client, "send", *NGINX, "--url", listener.url)
    assert "another" in _same(client, place, "status", "--url", listener.url)
    _same(client, place, "log")
    _same(client, place, "send", *NGINX, "--url", listener.url)
    place.put(place.state / "stopped", "version = 1\n")
    place.put(place.state / "sealed", f"{(place.state / 'last-boot').read_text()}")
    place.put(place.state / "notice", "shown_at = 1\n")
    _same(client, place, "status")
    _same(client, place, "send", *NGINX, "--url", listener.url)


@every_client
def test_choices(client: Client, place: Place, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    other = Place(tmp_path / "to", place.starts_fresh)
    said = [_choose(one, where) for one, where in ((REFERENCE, place), (client, other))]
    assert said[0] == said[1]


def _choose(client: Client, place: Place) -> list[str]:
    commands: tuple[tuple[str, dict[str, str]], ...] = (
        *((word, {}) for word in ("on", "on", "off", "off", "on", "seal")),
        *(("on", environment) for environment in ({"DO_NOT_TRACK": "1"}, {"TELEMETRY": "off"})),
    )
    said = [place.run(client, word, environment=environment) for word, environment in commands]
    boot(place)
    let_wait(place, "https://telemetry.example.com", int(time.time()))
    said += [place.run(client, word) for word in ("off", "seal")]
    return [f"{ran.code} {ran.out}{ran.err}".replace(str(place.base), "") for ran in said]


@every_client
def test_version(client: Client, place: Place) -> None:
    assert _same(client, place, "--version").startswith("telemetry-client ")


@every_client
def test_root_in_other_spellings(client: Client, place: Place) -> None:
    place.put(place.in_root("/etc/telemetry-client/config"), "telemetry = off\n")
    for root in (f"{place.root}/", "../root", "../root/."):
        where = ("--root", root, "--state-dir", str(place.state))
        told = [place.tell(each, "status", where=where)["reason"] for each in (REFERENCE, client)]
        assert told[0] == told[1]
