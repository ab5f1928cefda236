"""What one client leaves in a state directory another reads, and takes for its own."""

from __future__ import annotations

import datetime as dt
import json
import re
import time

import pytest

from tests.client.conformance.answers import Answer
from tests.client.conformance.clients import Client, Place, alone, pairs
from tests.client.conformance.listener import Listener
from tests.client.conformance.sending import BOOT_ID, NGINX, agree, boot

every_pair = pytest.mark.parametrize(("one", "other"), pairs("shared-state"))
every_client = pytest.mark.parametrize("client", alone("shared-state"))


def _outcome(place: Place, client: Client, listener: Listener) -> tuple[str, int]:
    told = place.tell(client, "send", *NGINX, "--url", listener.url)
    return told["outcome"], told["also_sent"]


@every_pair
def test_choice(one: Client, other: Client, place: Place) -> None:
    for word in ("on", "off"):
        assert place.run(one, word).code == 0
        status = place.tell(other, "status")
        assert (status["telemetry"], status["reason"]) == (word, f"{place.state}/consent says {word}")
    assert place.run(other, "on").code == 0
    assert place.tell(one, "status")["rule"] == "stored"


@every_pair
def test_pause_outbox_log_and_count(one: Client, other: Client, place: Place, listener: Listener) -> None:
    agree(place)
    listener.script = [Answer("", 503, {"Retry-After": "500"}).data(listener.url)]
    assert _outcome(place, one, listener) == ("waiting", 0)
    status = place.tell(other, "status", "--url", listener.url)
    assert 400 < status["seconds_to_wait"] <= 500
    assert (status["outbox"]["reports"], status["reports_today"]) == (1, 1)
    assert _outcome(place, other, listener) == ("waiting", 0)
    assert listener.connections == 1
    (place.state / "not-before").unlink()
    assert _outcome(place, one, listener) == ("accepted", 2)
    kept = {request.body for request in listener.requests}
    assert len(kept) == 3
    assert len(listener.requests) == 4
    assert place.tell(one, "log") == place.tell(other, "log")
    assert [line["status"] for line in place.tell(other, "log")["sent"]] == [503, 202, 202, 202]


@every_pair
def test_boot_seal_stop_and_notice(one: Client, other: Client, place: Place, listener: Listener) -> None:
    boot(place)
    environment = {"TELEMETRY": "on"}
    first = place.run(one, "send", *NGINX, "--url", listener.url, environment=environment)
    assert first.err.startswith("telemetry-client: this image reports")
    second = place.run(other, "send", *NGINX, "--url", listener.url, environment=environment)
    assert (second.out, second.err) == ("not sent: this boot was reported already\n", "")
    assert place.run(one, "seal").code == 0
    assert place.run(other, "send", *NGINX, "--url", listener.url, environment=environment).out == (
        "nothing was sent: this image is sealed; nothing is sent before the next boot\n"
    )
    boot(place, started=99)
    listener.script = [Answer("", 410).data(listener.url)]
    agree(place)
    assert _outcome(place, one, listener) == ("stopped", 0)
    assert _outcome(place, other, listener) == ("stopped", 0)
    assert listener.connections == 2


@every_client
def test_files_that_each_leaves_are_the_same(client: Client, place: Place, listener: Listener) -> None:
    """Together with the outbox, `sent` and `not-before`, whose bytes other tests compare."""
    boot(place)
    started = int(time.time())
    place.run(client, "off")
    off = (place.default / "consent").read_text()
    place.run(client, "on")
    assert not (place.default / "consent").exists()
    on = (place.state / "consent").read_text()
    (place.state / "consent").unlink()
    place.run(client, "send", *NGINX, "--url", listener.url, environment={"TELEMETRY": "on"})
    notice = (place.state / "notice").read_text()
    for text, pattern in (
        (off, r"choice = off\nchosen_at = ([0-9]+)\n"),
        (on, r"choice = on\nchosen_at = ([0-9]+)\n"),
        (notice, r"shown_at = ([0-9]+)\n"),
    ):
        match = re.fullmatch(pattern, text)
        assert match, text
        assert started <= int(match[1]) <= started + 60
    assert {path.name: path.stat().st_mode & 0o7777 for path in place.state.iterdir()} == {
        "last-boot": 0o644,
        "last-send": 0o600,
        "lock": 0o600,
        "notice": 0o644,
        "outbox": 0o700,
        "sent": 0o600,
        "today": 0o644,
    }
    assert place.state.stat().st_mode & 0o7777 == 0o755


@every_client
def test_seal_leaves_nothing_but_an_off(client: Client, place: Place, listener: Listener) -> None:
    boot(place)
    for directory in {place.state, place.default}:
        place.put(directory / "outbox/0000000001-11111111-2222-4333-8444-555555555555.json", "{}")
        for name in ("sent", "not-before", "stopped", "notice", "today", "last-boot"):
            place.put(directory / name, "left\n")
        place.put(directory / "unknown", "not ours\n")
    agree(place)
    place.put(place.default / "consent", "choice = off\nchosen_at = 1\n")
    ran = place.run(client, "seal")
    assert (ran.code, ran.err) == (0, "")
    assert str(place.default / "consent") in ran.out
    assert {path.name for path in place.default.iterdir()} - {"sealed"} == {"consent", "unknown"}
    assert {path.name for path in place.state.iterdir()} == {"sealed", "unknown"}
    assert (place.state / "sealed").read_text() == f"boot = {BOOT_ID}/31\n"
    assert (place.state / "sealed").stat().st_mode & 0o777 == 0o644
    assert place.run(client, "send", *NGINX, "--url", listener.url).code == 0
    assert listener.connections == 0


@every_client
def test_seal_says_where_nothing_holds_reports_back(client: Client, place: Place) -> None:
    ran = place.run(client, "seal")
    assert (ran.code, ran.err) == (0, "")
    assert "nothing holds reports back" in ran.out
    assert place.tell(client, "status")["is_sealed"] is False


@every_client
def test_log_keeps_ten_and_skips_what_it_does_not_know(client: Client, place: Place, listener: Listener) -> None:
    assert place.run(client, "log").out == "nothing was sent from here so far\n"
    assert place.tell(client, "log") == {"sent": []}
    bodies = [f'{{"report_id":"11111111-2222-4333-8444-5555555555{number:02}"}}' for number in range(10)]
    lines = [_line(1764183240 + number, 202, body) for number, body in enumerate(bodies)]
    place.put(place.state / "sent", "\n".join([lines[0], "half a", "", "[]", '{"at":1}', *lines[1:], ""]))
    assert [line["body"] for line in place.tell(client, "log")["sent"]] == bodies
    agree(place)
    listener.script = [Answer("", 422).data(listener.url)]
    place.run(client, "send", *NGINX, "--url", listener.url)
    sent = place.tell(client, "log")["sent"]
    assert [line["body"] for line in sent] == [*bodies[1:], listener.requests[0].body.decode()]
    assert sent[0] == {
        "at": "2025-11-26T18:54:01Z",
        "report": "image-boot/1",
        "url": "https://telemetry.example.com",
        "status": 202,
        "body": bodies[1],
    }
    assert sent[-1]["at"].startswith(str(dt.datetime.now(dt.UTC).date()))
    assert sent[-1]["status"] == 422
    text = place.run(client, "log").out.splitlines()
    assert text[:2] == ["2025-11-26 18:54:01Z  image-boot/1  202  https://telemetry.example.com", bodies[1]]
    assert len(text) == 20
    assert len((place.state / "sent").read_text().splitlines()) == 10


def _line(at: int, status: int, body: str) -> str:
    written = {"at": at, "report": "image-boot/1", "url": "https://telemetry.example.com", "status": status}
    return json.dumps({**written, "body": body}, separators=(",", ":"))
