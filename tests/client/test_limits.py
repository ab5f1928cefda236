"""One report per boot, ten a day, one sender at a time, and a pause that grows."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_client.boot import BOOT_ID, FIRST_PROCESS, this_boot
from telemetry_client.client import Client, open_client
from telemetry_client.deadline import Deadline
from telemetry_client.facts import Given
from telemetry_client.lock import Turn, only_sender
from telemetry_client.machine import Machine
from telemetry_client.pause import begin_pause, bound_seconds, end_pause, seconds_to_wait
from telemetry_client.permits import load_permits
from telemetry_client.result import Fate, Result
from telemetry_client.state import State
from tests.client.conftest import PACKAGE_PARENT

if TYPE_CHECKING:
    from tests.client.conftest import BuildMachine, Cli, Collector, OpenAt, Place

NOW = 1_790_000_000.0
URL = "https://telemetry.example.com"
BOOT = "73d4528f-f7a8-4081-ab27-440a2f2d816d"
WORDPRESS = Given(product="wordpress", product_version="6.4.2-0")
RUN = Given(product="installbuilder", product_version="23.1.0")
STAT = "1 (a ) b) S 0 0 0 0 -1 4194560 35 14 0 684 1 5 2 5 10 -10 13 0 {} 45010944 3501 1\n"


@pytest.fixture
def boots(place: Place) -> Place:
    """Begins a boot of the fake machine, by its id and the start of its first process."""

    def begin(boot_id: str, started: str) -> None:
        place(BOOT_ID, f"{boot_id}\n")
        place(FIRST_PROCESS, STAT.format(started))

    return begin


@pytest.fixture
def at(machine: BuildMachine, tmp_path: Path, collector: Collector) -> OpenAt:
    State(str(tmp_path / "state")).choose(is_on=True, now=NOW)

    def open_at(seconds: float = 0) -> Client:
        return open_client(machine(), load_permits(), State(str(tmp_path / "state")), NOW + seconds, url=collector.url)

    return open_at


def _send(client: Client, given: Given = WORDPRESS) -> Result:
    return client.send(given, Deadline(5))


def test_a_boot_is_told_by_its_id_and_the_start_of_its_first_process(boots: Place, machine: BuildMachine) -> None:
    assert this_boot(machine()) == ""
    boots(BOOT, "24")
    assert this_boot(machine()) == f"{BOOT}/24"


@pytest.mark.parametrize("stat", ["", "1 (init) S 0\n", STAT.format("soon"), STAT.format("\u0662")])
def test_a_first_process_that_cannot_be_read_leaves_the_id(stat: str, place: Place, machine: BuildMachine) -> None:
    place(BOOT_ID, BOOT)
    place(FIRST_PROCESS, stat)
    assert this_boot(machine()) == f"{BOOT}/"


@pytest.mark.parametrize("boot_id", ["", "two words", "a'b", "x" * 65])
def test_what_is_no_boot_id_is_no_boot(boot_id: str, place: Place, machine: BuildMachine) -> None:
    place(BOOT_ID, boot_id)
    assert this_boot(machine()) == ""


def test_the_running_machine_has_a_boot() -> None:
    assert this_boot(Machine()).startswith(Path(BOOT_ID).read_text().strip() + "/")


def test_a_boot_is_reported_once_and_a_restarted_container_is_another_boot(
    boots: Place, at: OpenAt, collector: Collector, tmp_path: Path
) -> None:
    boots(BOOT, "24")
    assert _send(at()).is_accepted
    assert (tmp_path / "state" / "last-boot").read_text() == f"boot = {BOOT}/24\n"
    again = _send(at(86400))
    assert again == (Fate.ALREADY_REPORTED, "not sent: this boot was reported already", 0)
    assert _send(at(), RUN).is_accepted
    boots(BOOT, "25")
    assert _send(at()).is_accepted
    assert len(collector.received) == 3


def test_what_waits_is_sent_even_where_the_boot_was_reported(boots: Place, at: OpenAt, collector: Collector) -> None:
    boots(BOOT, "24")
    collector.answer(503, {"Retry-After": "60"})
    assert _send(at()).fate is Fate.WAITING
    assert _send(at(30)).also_sent == 0
    assert collector.connections == 1
    assert _send(at(61)) == (Fate.ALREADY_REPORTED, "not sent: this boot was reported already", 1)
    assert at().outbox.names() == []


def test_ten_reports_a_day_of_either_kind(at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    for number in range(10):
        assert _send(at(number), RUN if number % 2 else WORDPRESS).is_accepted
    over = _send(at(11))
    assert over == (Fate.ALREADY_REPORTED, "not sent: ten reports were made today, which is the limit", 0)
    assert (tmp_path / "state" / "today").read_text() == "day = 2026-09-21\nreports = 10\n"
    assert _send(at(86400)).is_accepted
    assert len(collector.received) == 11


def test_what_cannot_be_read_or_written_does_not_limit(boots: Place, at: OpenAt, tmp_path: Path) -> None:
    boots(BOOT, "24")
    for name in ("today", "last-boot"):
        (tmp_path / "state" / name).mkdir()
    for _ in range(12):
        assert _send(at()).is_accepted
    (tmp_path / "state" / "today").rmdir()
    (tmp_path / "state" / "today").write_text("day = 2026-09-21\nreports = -5 x\n")
    assert _send(at()).is_accepted


def test_limits_are_counted_before_the_post(boots: Place, at: OpenAt, collector: Collector) -> None:
    boots(BOOT, "24")
    collector.answer(422)
    assert _send(at()).fate is Fate.REFUSED
    assert _send(at()).fate is Fate.ALREADY_REPORTED


def test_a_dry_run_is_neither_limited_nor_counted(boots: Place, at: OpenAt) -> None:
    boots(BOOT, "24")
    for _ in range(12):
        assert at().send(WORDPRESS, Deadline(5), dry_run=True).fate is Fate.VALID
    assert _send(at()).is_accepted
    assert at().send(WORDPRESS, Deadline(5), dry_run=True).fate is Fate.VALID


def test_show_and_status_tell_the_limits(boots: Place, cli: Cli, collector: Collector) -> None:
    import json

    boots(BOOT, "24")
    cli("on")
    facts = ("--url", collector.url, "--product", "wordpress", "--product-version", "6.4.2-0")
    cli("send", *facts)
    done = cli("send", "--format", "json", *facts)
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "already reported")
    shown = json.loads(cli("show", "--format", "json", *facts).stdout)
    assert (shown["would_be_sent"], shown["why"]) == (False, "this boot was reported already")
    told = json.loads(cli("status", "--format", "json").stdout)
    assert (told["boot_is_reported"], told["reports_today"], told["is_sealed"]) == (True, 1, False)
    assert "1 made today, of 10; this boot was reported already" in cli("status").stdout


def test_a_pause_grows_with_each_failure_and_an_answer_ends_it(tmp_path: Path) -> None:
    state = State(str(tmp_path))
    waits = []
    for _ in range(12):
        begin_pause(state, URL, None, NOW, 1.0)
        waits.append(seconds_to_wait(state, URL, NOW))
    assert waits == [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600, 21600]
    assert "failures = 12\n" in (tmp_path / "not-before").read_text()
    begin_pause(state, URL, 7.0, NOW, 1.0)
    assert seconds_to_wait(state, URL, NOW) == 7
    begin_pause(state, "https://other.example.com", None, NOW, 0.5)
    assert seconds_to_wait(state, "https://other.example.com", NOW) == 30
    assert seconds_to_wait(state, URL, NOW) == 0
    end_pause(state)
    assert not (tmp_path / "not-before").exists()


def test_the_bound_stays_where_it_is_however_often_it_fails() -> None:
    assert bound_seconds(10**9) == 6 * 3600


def test_no_chance_is_no_pause(tmp_path: Path) -> None:
    begin_pause(State(str(tmp_path)), URL, None, NOW, 0.0)
    assert seconds_to_wait(State(str(tmp_path)), URL, NOW) == 0


def test_a_failure_begins_a_pause_in_which_nothing_is_posted(at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    collector.answer(503)
    assert _send(at()).fate is Fate.WAITING
    file = tmp_path / "state" / "not-before"
    assert "failures = 1\n" in file.read_text()
    file.write_text(f"url = {collector.url}\nnot_before = {int(NOW) + 50}\nfailures = 1\n")
    paused = _send(at(20))
    assert paused.fate is Fate.WAITING
    assert "left alone for another 30 s" in paused.message
    assert collector.connections == 1
    assert _send(at(51)).also_sent == 2
    assert not file.exists()


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_ends_a_pause_too(status: int, at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    collector.answer(503)
    collector.answer(status)
    _send(at())
    _send(at(86400))
    assert not (tmp_path / "state" / "not-before").exists()


def test_a_second_sender_waits_for_a_time(tmp_path: Path) -> None:
    with only_sender(str(tmp_path), 1.0) as first:
        assert first is Turn.OURS
        started = time.monotonic()
        with only_sender(str(tmp_path), 0.2) as second:
            assert second is Turn.ANOTHERS
        assert 0.2 <= time.monotonic() - started < 0.6
    with only_sender(str(tmp_path), 0.2) as third:
        assert third is Turn.OURS
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_lock_that_is_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with only_sender(str(tmp_path), 0.2) as turn:
        assert turn is Turn.OURS
    assert not (tmp_path / "lock").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_directory_that_is_missing_is_not_locked() -> None:
    for directory in ("", "/nonexistent"):
        with only_sender(directory, 1.0) as turn:
            assert turn is Turn.NONE


def test_what_waits_is_sent_once_by_senders_that_run_at_once(cli: Cli, collector: Collector) -> None:
    cli("on")
    facts = ("--url", collector.url, "--product", "wordpress", "--product-version", "6.4.2-0")
    for _ in range(3):
        collector.answer(503, {"Retry-After": "0"})
        cli("send", *facts)
    collector.received.clear()
    command = [sys.executable, "-m", "telemetry_client", "send", "--root", str(cli.root), "--state-dir", str(cli.state)]
    environ = {"PYTHONPATH": str(PACKAGE_PARENT)}
    senders = [subprocess.Popen([*command, *facts], env=environ, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [sender.wait(20) for sender in senders] == [0, 0, 0]
    ids = [received.fields["report_id"] for received in collector.received]
    assert len(ids) == len(set(ids)) == 6


def test_a_lock_on_the_directory_keeps_nobody_waiting(at: OpenAt, tmp_path: Path) -> None:
    """Anybody may hold one."""
    held = os.open(tmp_path / "state", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    started = time.monotonic()
    assert _send(at()).is_accepted
    assert time.monotonic() - started < 1.0
    os.close(held)
