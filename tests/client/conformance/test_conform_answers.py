"""What becomes of a report and of the files in the state directory for every answer that a collector may give."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
import stat
import time
from pathlib import Path

import pytest

from tests.client.conformance.answers import Answer, read_answers
from tests.client.conformance.clients import Client, Place, alone, each
from tests.client.conformance.listener import VALID, Listener
from tests.client.conformance.sending import NGINX

ANSWERS = read_answers()
FACTS = (*NGINX, "--os-version", "debian-12", "--language", "pt-BR")
HEADERS = {"host", "user-agent", "content-type", "content-length", "connection"}
# wget sends these two, which are the same for everybody.
CONSTANT = {"accept", "accept-encoding"}
_BODY = re.compile(
    r'\{"report_id":"([0-9a-f-]{36})","source":"vm","product":"nginx","product_version":"1\.27\.3",'
    r'"os_version":"debian-12","language":"pt-BR"\}'
)
_CLOCK_SECONDS = 30


@pytest.mark.parametrize(("client", "answer"), each("answers", ANSWERS))
def test_answer(client: Client, answer: Answer, agreed: Place, listener: Listener) -> None:
    listener.script = [answer.data(listener.url)]
    started = int(time.time())
    told = agreed.tell(client, "send", *FACTS, "--url", listener.url)
    assert (told["outcome"], told["also_sent"]) == (answer.outcome, 0)
    assert re.fullmatch(answer.message, told["message"]), told["message"]
    body = _only_request(listener)
    _waits_exactly(agreed, body if answer.outcome == "waiting" else "", listener.url, started)
    _pauses(agreed, answer.pause, listener.url, started)
    _has_logged(agreed, body, answer.recorded, listener.url, started)
    files = {path.name for path in agreed.state.iterdir()} - {"consent", "outbox", "sent", "today", "lock", "last-send"}
    wanted = {"stopped"} if answer.outcome == "stopped" else {"not-before"} if answer.pause else set()
    assert files == wanted
    assert (agreed.state / "today").read_text() == f"day = {dt.datetime.now(dt.UTC).date()}\nreports = 1\n"
    assert not list(agreed.home.rglob("ran"))


def test_they_are_many() -> None:
    assert len(ANSWERS) >= 40


@pytest.mark.parametrize("client", alone("answers"))
def test_stopped_is_for_good(client: Client, agreed: Place, listener: Listener) -> None:
    listener.script = [Answer("stopped", 410).data(listener.url)]
    for connections in (1, 1):
        told = agreed.tell(client, "send", *FACTS, "--url", listener.url)
        assert told["outcome"] == "stopped"
        assert told["message"] == "the collector told this version of the client to stop"
        assert listener.connections == connections
    file = agreed.state / "stopped"
    assert (file.read_text(), _mode(file)) == ("version = 1\n", 0o644)


@pytest.mark.parametrize("client", alone("answers"))
def test_nobody_listens(client: Client, agreed: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    started = int(time.time())
    told = agreed.tell(client, "send", *FACTS, "--url", url)
    assert told["outcome"] == "waiting"
    assert re.fullmatch(r"not sent \(.+\); it waits in the outbox", told["message"])
    assert len(agreed.bodies()) == 1
    _pauses(agreed, (0, 60), url, started)
    assert agreed.sent() == []


@pytest.mark.parametrize("client", alone("answers"))
def test_collector_that_hangs_is_left_in_time(client: Client, agreed: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        told = agreed.tell(client, "send", *FACTS, "--url", url, "--timeout", "1")
        assert time.monotonic() - started < 5
    assert told["outcome"] == "waiting"
    assert told["message"] == "not sent (no answer in time); it waits in the outbox"
    assert [line["status"] for line in agreed.sent()] == [0]


@pytest.mark.parametrize("client", alone("answers"))
def test_dry_run_remembers_nothing(client: Client, agreed: Place, listener: Listener) -> None:
    refused = Answer("refused", 422, body='{"outcome":"unknown_product","field":"product"}')
    listener.script = [VALID, refused.data(listener.url), Answer("", 503).data(listener.url)]
    for code, outcome, message in (
        (0, "valid", "valid: the collector would accept this report; nothing was stored"),
        (1, "refused", "it would be refused: HTTP 422, unknown_product, product"),
        (0, "lost", "not tried out: HTTP 503"),
    ):
        ran = agreed.run(client, "send", "--dry-run", *FACTS, "--url", listener.url, "--format", "json")
        assert (ran.code, ran.told) == (code, {"outcome": outcome, "message": message, "also_sent": 0})
    assert {request.line for request in listener.requests} == {"POST /v1/reports/image-boot/1?dry_run=1 HTTP/1.1"}
    assert {path.name for path in agreed.state.iterdir()} == {"consent", "sent", "lock"}
    assert [line["status"] for line in agreed.sent()] == [200, 422, 503]


def _only_request(listener: Listener) -> str:
    (request,) = listener.requests
    assert listener.connections == 1
    assert request.line == "POST /v1/reports/image-boot/1 HTTP/1.1"
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert HEADERS <= set(headers) <= HEADERS | CONSTANT
    assert headers["host"] == f"127.0.0.1:{listener.port}"
    assert headers["user-agent"] == "product-telemetry/1"
    assert headers["content-type"] == "application/json"
    assert headers["connection"].lower() == "close"
    assert _BODY.fullmatch(request.body.decode())
    return request.body.decode()


def _waits_exactly(place: Place, body: str, url: str, started: int) -> None:
    """The outbox holds this body as the contract writes it, byte for byte; or nothing, for an empty body."""
    if not body:
        assert place.waiting() == []
        return
    (file,) = place.waiting()
    match = _BODY.fullmatch(body)
    assert match is not None
    seconds, report_id = file.name.removesuffix(".json").split("-", 1)
    assert report_id == match[1]
    assert len(seconds) == 10
    assert started <= int(seconds) <= started + _CLOCK_SECONDS
    written = {"format": 1, "report": "image-boot/1", "url": url, "body": body}
    assert file.read_text() == json.dumps(written, separators=(",", ":"))
    assert (_mode(file), _mode(file.parent)) == (0o600, 0o700)


def _pauses(place: Place, pause: tuple[int, int] | None, url: str, started: int) -> None:
    file = place.state / "not-before"
    if pause is None:
        assert not file.exists()
        return
    match = re.fullmatch(r"url = (.+)\nnot_before = ([0-9]+)\nfailures = 1\n", file.read_text())
    assert match, file.read_text()
    assert match[1] == url
    assert started + pause[0] <= int(match[2]) <= started + pause[1] + _CLOCK_SECONDS
    assert _mode(file) == 0o600


def _has_logged(place: Place, body: str, status: int, url: str, started: int) -> None:
    file = place.state / "sent"
    (line,) = file.read_text().splitlines()
    logged = json.loads(line)
    assert started <= logged["at"] <= started + _CLOCK_SECONDS
    written = {"at": logged["at"], "report": "image-boot/1", "url": url, "status": status, "body": body}
    assert line == json.dumps(written, separators=(",", ":"))
    assert _mode(file) == 0o600


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
