"""A licence key goes to the collector and nowhere else: into no file, no argument, no other process's environment."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import pytest

from tests.client.conformance.answers import Answer
from tests.client.conformance.clients import Client, Place, alone
from tests.client.conformance.listener import Listener
from tests.client.conformance.sending import INSTALLBUILDER, KEY, agree

every_client = pytest.mark.parametrize("client", alone("key"))
STARTS_FRESH = True
_KEPT_NOWHERE = "a report with a licence key is tried once and never kept"


class Watcher(Listener):
    """A collector that looks around, while it is asked, for processes that show the key."""

    def __init__(self, interpreter: str, key: str) -> None:
        super().__init__()
        self.key = key.encode()
        self.interpreter = Path(interpreter).name
        self.shown: list[str] = []

    def _answer(self, *arguments: object) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes()
                is_client = Path(os.fsdecode(command.split(b"\0")[0])).name == self.interpreter
                if self.key in command:
                    self.shown.append(f"argument of {command!r}")
                # The client itself may have been given it that way; what it starts may not.
                if not is_client and self.key in (process / "environ").read_bytes():
                    self.shown.append(f"environment of {command!r}")
        super()._answer(*arguments)  # type: ignore[arg-type]


@every_client
@pytest.mark.parametrize("way", ["stdin", "variable"])
@pytest.mark.parametrize(("status", "outcome"), [(202, "accepted"), (503, "lost"), (422, "refused"), (0, "lost")])
def test_key_is_sent_and_forgotten(client: Client, place: Place, way: str, status: int, outcome: str) -> None:
    # Of this test alone: others that run beside it may show theirs.
    key = f"CANARY-{secrets.token_hex(8)}"
    agree(place)
    with Watcher(client.command[0], key) as listener:
        listener.script = [Answer("", status).data("") if status else None]
        if way == "stdin":
            facts, given = ("--license-key-stdin",), {"stdin": f"{key}\n".encode()}
        else:
            facts, given = (), {"environment": {"TELEMETRY_LICENSE_KEY": key}}
        told = place.tell(client, "send", *INSTALLBUILDER, *facts, "--url", listener.url, **given)
    assert told["outcome"] == outcome
    assert ("tried once" in told["message"]) == (outcome == "lost")
    (request,) = listener.requests
    assert request.line == "POST /v1/reports/installbuilder-run/1 HTTP/1.1"
    assert request.fields["license_key"] == key
    assert list(request.fields) == ["report_id", "product", "product_version", "license_key"]
    assert listener.shown == []
    _is_nowhere_below(place, key)
    assert place.waiting() == []
    (line,) = place.sent()
    assert line["body"] == request.body.decode().replace(key, "********")
    assert key not in place.run(client, "log").out


@every_client
def test_key_that_could_not_be_sent_is_lost(client: Client, place: Place) -> None:
    agree(place)
    told = place.tell(
        client, "send", *INSTALLBUILDER, "--url", "http://127.0.0.1:9", environment={"TELEMETRY_LICENSE_KEY": KEY}
    )
    assert told["outcome"] == "lost"
    assert told["message"].endswith(_KEPT_NOWHERE)
    _is_nowhere_below(place)


@every_client
def test_key_is_masked(client: Client, place: Place) -> None:
    environment = {"TELEMETRY_LICENSE_KEY": KEY}
    told = place.tell(client, "show", *INSTALLBUILDER, environment=environment)
    assert told["license_key_is_masked"] is True
    assert '"license_key":"********"' in told["body"]
    assert [field["value"] for field in told["fields"] if field["field"] == "license_key"] == ["********"]
    assert told["body_bytes"] == len(told["body"]) - len("********") + len(KEY)
    for command in ("show", "status", "log", "send"):
        facts = INSTALLBUILDER if command in {"show", "send"} else ()
        ran = place.run(client, command, *facts, environment=environment)
        assert KEY not in ran.out + ran.err
    assert KEY in place.run(client, "show", *INSTALLBUILDER, "--reveal-key", environment=environment).out


@every_client
def test_key_in_the_wrong_place_is_not_repeated(client: Client, place: Place) -> None:
    for command in (
        ["send", KEY],
        ["send", "--license-key", KEY],
        ["send", f"--license-key={KEY}"],
        ["send", f"--license-key-stdin={KEY}"],
        ["send", "--timeout", KEY],
        ["send", "--format", KEY],
        ["send", f"--format={KEY}"],
        ["send", "--source", KEY],
        ["send", "--url", KEY],
        ["send", "--dry-run", "--", KEY],
        ["send", f"--{KEY}"],
        ["send", f"-{KEY}"],
        ["on", KEY],
        ["on", "--product", KEY],
        ["status", "--reveal-key", KEY],
    ):
        ran = place.run(client, *command)
        assert ran.code == 2, command
        assert ran.out == "", command
        assert KEY not in ran.err, command
        assert ran.err, command


@every_client
def test_key_that_is_none_is_left_out(client: Client, place: Place) -> None:
    for key in ("short", "has a blank", "x" * 129, "x\x00y" * 4, "ä" * 9, '"quoted"'):
        told = place.tell(client, "show", *INSTALLBUILDER, "--license-key-stdin", stdin=f"{key}\n".encode())
        assert "license_key" not in told["body"]
        assert {"field": "license_key", "why": "what standard input says does not have the field's format"} in told[
            "left_out"
        ]


def _is_nowhere_below(place: Place, key: str = KEY) -> None:
    for path in place.base.rglob("*"):
        assert key not in path.name
        assert not path.is_file() or key.encode() not in path.read_bytes()
