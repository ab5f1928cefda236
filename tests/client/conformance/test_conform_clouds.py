"""What each client asks a cloud's metadata service, what it believes, and where it asks nothing."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.client.cloud_behaviour import MODES
from tests.client.cloud_services import TOKEN
from tests.client.clouds import InCloud, what_is_missing
from tests.client.conformance.clients import Client, Place, alone, each, wants_all
from tests.client.conformance.listener import Listener
from tests.client.conformance.sending import NGINX, agree
from tests.conftest import missing

QUESTIONS = tomllib.loads((Path(__file__).parent / "questions.toml").read_text())
# One with a token is met in every mode, one without in those that do not last; of the others what is quick.
_IN_EVERY_MODE = "aws"
_IN_MOST_MODES = "gcp"
_LASTING_MODES = ("hang", "drip", "drop")
_QUICK_MODES = ("ok", "redirect", "garbage", "long")
_OF_TOKENS = ("bad-token", "no-token")
_ON = {"TELEMETRY": "on", "http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9", "no_proxy": ""}
_SHOW = ("show", *NGINX, "--source", "cloud", "--os-version", "debian-12", "--language", "de-DE")
# The whole question, the client's start, and a machine that is busy.
_MOST_SECONDS = 2 + 3
_USUAL_HEADERS = {"host", "user-agent", "connection", "accept", "accept-encoding", "content-length"}


class Asked(NamedTuple):
    """One cloud in one mode."""

    cloud: str
    mode: str

    @property
    def needs_token(self) -> bool:
        return len(QUESTIONS[self.cloud]["requests"]) > 1

    @property
    def tells(self) -> bool:
        """Whether the instance type must be found."""
        if self.mode in {"slow", *_OF_TOKENS}:
            return not self.needs_token and "type" in QUESTIONS[self.cloud]
        return self.mode == "ok" or (self.mode == "no-flavor" and self.cloud != "gcp")


def _cases() -> dict[str, Asked]:
    return {
        f"{cloud}-{mode}": Asked(cloud, mode)
        for cloud, question in QUESTIONS.items()
        for mode in MODES
        if mode == "ok" or ("type" in question and (wants_all() or _is_worth_it(cloud, mode)))
    }


def _is_worth_it(cloud: str, mode: str) -> bool:
    if cloud == _IN_MOST_MODES:
        return mode not in _LASTING_MODES
    return cloud == _IN_EVERY_MODE or mode in _QUICK_MODES


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if what_is_missing():
        missing(what_is_missing())


@pytest.mark.parametrize(("client", "asked"), each("clouds", _cases()))
def test_question(client: Client, asked: Asked, place: Place) -> None:
    with InCloud(asked.cloud, asked.mode) as there:
        started = time.monotonic()
        told = _show(client, place, there)
        assert time.monotonic() - started < _MOST_SECONDS
        requests = list(there.requests)
    question = QUESTIONS[asked.cloud]
    found = [(field["value"], field["from"]) for field in told["fields"] if field["field"] == "instance_type"]
    tells = asked.tells and "type" in question
    assert found == ([(question["type"], f"metadata service of {asked.cloud}")] if tells else [])
    expected = question["requests"]
    if not tells:
        assert len(requests) <= len(expected)
        expected = expected[: len(requests)]
    assert [(request["to"], request["method"], request["path"]) for request in requests] == [
        (question["address"], method, path) for method, path, _headers in expected
    ]
    for request, (_method, _path, headers) in zip(requests, expected, strict=True):
        needed = {name.lower(): value.replace("{token}", TOKEN) for name, value in headers.items()}
        assert needed.items() <= request["headers"].items()
        assert set(request["headers"]) <= _USUAL_HEADERS | set(needed)


@pytest.mark.parametrize("client", alone("clouds"))
def test_nothing_is_asked_where_it_is_not_to_be(client: Client, place: Place) -> None:
    with InCloud("azure", "ok") as there:
        for environment in ({}, {**_ON, "DO_NOT_TRACK": "1"}, {**_ON, "CI": "1"}):
            told = _show(client, place, there, environment=environment)
            assert "instance_type" not in told["body"]
        for arguments in (("--source", "vm"), ("--source", "container"), ("--instance-type", "Standard_B1s")):
            _show(client, place, there, *arguments)
        _show(client, place, there, where=("--root", str(place.root), "--state-dir", str(place.state)))
        status = place.run(client, "status", environment=_ON, where=("--state-dir", str(place.state)), inside=there)
        assert status.code == 0
        assert there.requests == []
        assert '"instance_type":"Standard_D2s_v3"' in _show(client, place, there)["body"]
        assert len(there.requests) == 1


@pytest.mark.parametrize("client", alone("clouds"))
def test_a_boot_that_is_reported_asks_no_more(client: Client, place: Place, listener: Listener) -> None:
    agree(place)
    where = ("--state-dir", str(place.state))
    facts = (*_SHOW[1:], "--url", listener.url)
    with InCloud("openstack", "ok", [listener.port]) as there:
        for requests, outcome in ((1, "accepted"), (1, "already reported")):
            ran = place.run(client, "send", *facts, "--format", "json", environment=_ON, where=where, inside=there)
            assert ran.told["outcome"] == outcome
            assert len(there.requests) == requests
        assert "instance_type" not in _show(client, place, there)["body"]
        assert len(there.requests) == 1
    assert listener.requests[0].fields["instance_type"] == "m1.small"


def _show(
    client: Client,
    place: Place,
    there: InCloud,
    *arguments: str,
    environment: dict[str, str] | None = None,
    where: tuple[str, ...] = (),
) -> dict:
    return place.tell(
        client,
        *_SHOW,
        *arguments,
        environment=_ON if environment is None else environment,
        where=where or ("--state-dir", str(place.state)),
        inside=there,
    )
