"""The log of what was handed to a connection, and what `seal` leaves of it and of everything else."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from telemetry_client.boot import BOOT_ID
from telemetry_client.sent import Sent, read_sent, remember_sent
from telemetry_client.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import Cli, Collector, Place

FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
KEY = "CANARY-0000-1111-2222"
LINE = '{"at":1790000000,"report":"image-boot/1","url":"https://telemetry.example.com","status":202,"body":"{}"}'


def test_the_log_shows_what_was_handed_over_and_what_came_back(cli: Cli, collector: Collector) -> None:
    assert cli("log").stdout == "nothing was sent from here so far\n"
    cli("on")
    collector.answer(503, {"Retry-After": "0"})
    cli("send", "--url", collector.url, *FACTS)
    cli("send", "--url", "http://127.0.0.1:9", *FACTS)
    cli("send", "--dry-run", "--url", collector.url, *FACTS)
    told = json.loads(cli("log", "--format", "json").stdout)["sent"]
    # A connection that was refused was handed nothing.
    assert [sent["status"] for sent in told] == [503, 200]
    assert [sent["body"] for sent in told] == [received.body.decode() for received in collector.received]
    assert told[0]["url"] == collector.url
    lines = cli("log").stdout.splitlines()
    moment = told[0]["at"].replace("T", " ")
    assert lines[0] == f"{moment}  image-boot/1  503  {collector.url}"
    assert lines[1] == collector.received[0].body.decode()
    assert stat.S_IMODE((cli.state / "sent").stat().st_mode) == 0o600


def test_a_key_is_asterisks_in_the_log(cli: Cli, collector: Collector) -> None:
    cli("on")
    run = ("--product", "installbuilder", "--product-version", "23.1.0", "--license-key-stdin")
    cli("send", "--url", collector.url, *run, stdin=KEY)
    text = (cli.state / "sent").read_text()
    assert KEY not in text
    assert '\\"license_key\\":\\"********\\"' in text


def test_the_last_ten_are_kept(tmp_path: Path) -> None:
    state = State(str(tmp_path))
    for number in range(13):
        remember_sent(state, Sent(number, "image-boot/1", "https://telemetry.example.com", 0, "{}"))
    assert [sent.at for sent in read_sent(state)] == list(range(3, 13))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        LINE.replace('"at":1790000000', '"at":"x"'),
        LINE.replace('"at":1790000000', '"at":99999999999999'),
        LINE.replace('"status":202', '"status":true'),
        LINE.replace('"status":202', '"status":-1'),
        LINE.replace(":", ": "),
        LINE.replace('"body":"{}"', '"body":"\\u001b[2J"'),
        LINE.replace('"report":"image-boot/1"', '"report":7'),
        LINE.replace('"body":"{}"', '"body":"{}","more":1'),
        LINE + " ",
        "[" * 100_000,
    ],
)
def test_lines_of_another_form_are_skipped(line: str, tmp_path: Path) -> None:
    (tmp_path / "sent").write_text(f"{line}\n{LINE}\n{line}")
    assert [sent.at for sent in read_sent(State(str(tmp_path)))] == [1790000000]


def test_seal_forgets_everything_but_an_off_and_holds_reports_back_until_the_next_boot(
    cli: Cli, collector: Collector, place: Place
) -> None:
    place(BOOT_ID, "first-boot\n")
    cli("on")
    collector.answer(503)
    cli("send", "--url", collector.url, *FACTS)
    cli("send", "--url", "http://127.0.0.1:9", *FACTS)
    (cli.state / "notice").write_text("shown_at = 1\n")
    (cli.state / "stopped").write_text("version = 0\n")
    (cli.state / ".telemetry-abc").write_text("half")
    (cli.state / "outbox" / "odd").symlink_to("/nonexistent")
    assert {file.name for file in cli.state.iterdir()} > {"outbox", "sent", "not-before", "today", "last-boot"}
    done = cli("seal")
    assert done.returncode == 0
    assert done.stderr == ""
    assert f"sealed, stored in {cli.state}/sealed and " in done.stdout
    assert sorted(file.name for file in cli.state.iterdir()) == ["lock", "sealed"]
    assert (cli.state / "sealed").read_text() == "boot = first-boot/\n"
    cli("on")
    send = ("send", "--format", "json", "--url", collector.url, *FACTS)
    for command in (send, (*send, "--dry-run"), (*send, "--background")):
        told = json.loads(cli(*command).stdout)
        assert told["outcome"] == "sealed"
        assert told["message"] == ("nothing was sent: this image is sealed; nothing is sent before the next boot")
    assert json.loads(cli("status", "--format", "json").stdout)["is_sealed"]
    assert "this image is sealed" in cli("show", *FACTS, "--url", collector.url).stdout
    assert collector.connections == 1
    place(BOOT_ID, "second-boot\n")
    assert json.loads(cli(*send).stdout)["outcome"] == "accepted"


def test_a_seal_in_the_default_place_holds_a_sender_with_a_place_of_its_own(cli: Cli, place: Place) -> None:
    place(BOOT_ID, "boot\n")
    cli("seal", has_own_state=False)
    cli("on")
    assert "this image is sealed" in cli("send", "--url", "http://127.0.0.1:9", *FACTS).stdout


def test_an_off_survives_the_seal_and_is_told(cli: Cli, place: Place) -> None:
    place(BOOT_ID, "boot\n")
    cli("off")
    done = cli("seal")
    assert f"an off stays: {cli.state}/consent" in done.stdout
    place(BOOT_ID, "next\n")
    assert "says off" in cli("status").stdout


def test_where_no_boot_is_known_seal_says_that_nothing_holds_reports_back(cli: Cli) -> None:
    cli("on")
    done = cli("seal")
    assert done.returncode == 0
    assert "nothing holds reports back until the image is taken" in done.stdout
    assert list(cli.state.iterdir()) == []


def test_what_cannot_be_removed_is_exit_code_1_and_told(cli: Cli, place: Place) -> None:
    place(BOOT_ID, "boot\n")
    (cli.state / "notice").mkdir(parents=True)
    done = cli("seal")
    assert done.returncode == 1
    assert done.stderr == f"could not be removed or written: {cli.state}/notice\n"
    assert (cli.state / "sealed").exists()
