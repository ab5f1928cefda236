"""`collector forget` and `collector subject-report`, beside a running collector and without one."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from collector.layout import Layout
from collector.store.engine import open_embedded
from tests.conftest import BIN, running
from tests.erasure.everywhere import found
from tests.erasure.machine import (
    EARLIER,
    KEY,
    OTHER_KEY,
    TODAY,
    asked,
    needle,
    pseudonyms,
    receipt,
    report,
    send,
    spool,
    told,
)
from tests.leaks import places
from tests.leaks.evidence import Evidence
from tests.ready_engine import ReadyEngine

LIST = "disk: secrets/forgotten"


@pytest.fixture
def data(ready_engine: ReadyEngine, tmp_path: Path) -> Path:
    """A stopped collector: two segments, and one that the engine cannot read."""
    data = tmp_path / "data"
    ready_engine.put(data / "engine")
    spool(data, EARLIER)
    spool(data)
    spool(data, damaged=True, worker="w8")
    return data


@pytest.fixture
def backup(data: Path) -> str:
    """Taken of all that waits, once it is loaded or in quarantine."""
    taken = told(data, "backup", "--to", str(data.parent / "backups"), "--keep-days", "19")
    return str(taken["backup"])


def left(data: Path) -> dict[str, set[str]]:
    with contextlib.closing(open_embedded(data / "engine")) as engine:
        return found(engine, data, needle(data))


def outside_the_engine(data: Path) -> tuple[set[str], set[str]]:
    """The files of a collector that runs, and those that hold it."""
    evidence = Evidence([needle(data)])
    evidence.look_at_all("disk", ((path, text) for path, text in places.files(data) if not path.startswith("engine")))
    return set(evidence.seen), set(evidence.found["gone"])


def test_running_collector_tells_of_a_licence_and_forgets_it(data: Path) -> None:
    for path in data.glob(f"spool/*/*/{EARLIER}.*"):
        path.unlink()  # it would be closed some time, and rows of another quarter lose their licence then
    with running(data, "--seal-after-seconds", "2") as server:
        server.wait_until_loaded()
        before = outside_the_engine(data)
        assert [path for path in before[1] if "quarantine" in path]
        said = asked(data, "subject-report")
        assert "6 reports held about this licence" in said.stdout
        for word in ("installbuilder", "25.7.0", "pt-BR", str(TODAY), "quarantine"):
            assert word in said.stdout
        assert outside_the_engine(data) == before  # nothing of the question is written
        send(server)  # into a segment that is open now
        said = receipt(data)
        assert said["state"] == "done"
        assert said["removed"]["store"] + said["removed"]["spool"] == 4
        assert said["removed"]["quarantine"] == 3
        assert report(data) == {}
        assert report(data, key=OTHER_KEY) == {"store": 3, "quarantine": 3}
        send(server)  # a new one, and kept: in the receipt's words
        server.wait_until_loaded()
        assert report(data) == {"store": 1}
        receipt(data)
        assert server.stop() == 0
        log = server.log.read_text()
    assert "licence_forgotten" in log
    assert not [word for word in (KEY, *map(str, pseudonyms(data).values())) if word in log]
    assert left(data) == {"tables": set(), "packed": set(), "files": {LIST}}


def test_nothing_is_left_but_the_list_that_keeps_it_erased(data: Path, backup: str) -> None:
    before = left(data)
    assert before["packed"]
    assert before["tables"]
    assert [path for path in before["files"] if "quarantine" in path]
    spool(data)
    said = receipt(data)
    assert said["removed"] == {"store": 6, "spool": 3, "quarantine": 3}
    assert said["backups_until"] == str(TODAY + dt.timedelta(days=21))
    assert left(data) == {"tables": set(), "packed": set(), "files": {LIST}}
    assert report(data, key=OTHER_KEY) == {"store": 6, "spool": 3, "quarantine": 3}
    assert (data / "secrets/forgotten").stat().st_mode & 0o777 == 0o600
    journal = [json.loads(line) for line in (data / "requests.ndjson").read_text().splitlines()]
    assert [(one["request"], one["state"]) for one in journal] == [(said["request"], s) for s in ("asked", "done")]
    assert journal[-1]["rows"] == said["removed"]

    # The store is lost, and what is put back is of before.
    for name in ("engine", "quarantine", "spool"):
        shutil.rmtree(data / name)
    assert told(data, "restore", "--from", backup, "--publish-again")["erased"] == 6
    assert left(data) == {"tables": set(), "packed": set(), "files": {LIST}}
    assert report(data, key=OTHER_KEY) == {"store": 6}


def test_row_file_of_a_killed_restore_goes_and_a_moved_engine_is_told_of(data: Path) -> None:
    (sealed,) = data.glob(f"spool/w7/sealed/{TODAY}.*")
    shutil.copy(sealed, data / "moving_0a.ndjson")
    (data / "engine-before-move-20261101T000000Z").mkdir()
    assert "stays     engine-before-move-20261101T000000Z" in asked(data, "forget").stdout
    assert left(data) == {"tables": set(), "packed": set(), "files": {LIST}}


def test_backup_of_while_it_was_pending_brings_nothing_back(data: Path, backup: str) -> None:
    """Asked for so long ago that a backup of before is gone; done today, and the backup was taken since."""
    asked_on, of_it = TODAY - dt.timedelta(days=12), list(map(str, pseudonyms(data).values()))
    until = asked_on + dt.timedelta(days=9)
    _write_list(data, _line("forget-0a", until, asked_on=asked_on, is_pending=True, pseudonyms=of_it))
    (done,) = told(data, "forget", "--pending")["receipts"]
    assert (done["state"], done["backups_until"]) == ("done", str(TODAY + dt.timedelta(days=9)))
    shutil.rmtree(data / "engine")
    assert told(data, "restore", "--from", backup, "--publish-again")["erased"] == 6


def test_backups_that_are_kept_longer_since_bring_nothing_back(data: Path) -> None:
    told(data, "backup", "--to", str(data.parent / "backups"), "--keep-days", "9")
    assert receipt(data)["backups_until"] == str(TODAY + dt.timedelta(days=11))
    told(data, "backup", "--to", str(data.parent / "others"), "--keep-days", "19")
    (line,) = map(json.loads, Layout(data).forgotten.read_text().splitlines())
    assert line["until"] == str(TODAY + dt.timedelta(days=21))
    told(data, "backup", "--to", str(data.parent / "others-again"), "--keep-days", "15")
    assert Layout(data).forgotten.read_text().count(line["until"]) == 1


def test_list_that_comes_back_after_the_rows_erases_them_at_the_start_once(data: Path, backup: str) -> None:
    receipt(data)
    back = data.parent / "back"
    assert told(back, "restore", "--from", backup, "--publish-again")["erased"] == 0
    shutil.copytree(data / "secrets", back / "secrets", dirs_exist_ok=True)
    assert report(back) == {"store": 6}
    with running(back, "--seal-after-seconds", "1") as server:
        _wait_until(lambda: not Layout(back).restored.exists())
        assert report(back) == {}
        send(server)
        server.wait_until_loaded()
    asked(back, "forget", "--pending")
    assert report(back) == {"store": 1}  # it came since, and is new


def test_process_that_is_killed_goes_on_at_the_next_start(data: Path) -> None:
    """The request was written down, and nothing more was done."""
    _write_list(data, _line("forget-0a", TODAY, is_pending=True, pseudonyms=list(map(str, pseudonyms(data).values()))))
    with running(data):
        _wait_until(lambda: "done" in _journal(data))
        assert report(data) == {}
    assert asked(data, "forget", "--pending").stdout == "no request is pending\n"


def test_list_is_emptied_when_no_backup_can_bring_it_back(data: Path) -> None:
    _write_list(data, _line("forget-0a", TODAY - dt.timedelta(days=1)), _line("forget-0b", TODAY))
    told(data, "forget", "--pending")
    begun = data / "secrets/.forgotten.new"  # a list that a killed process was writing, and nothing else to change
    begun.touch()
    told(data, "forget", "--pending")
    assert not begun.exists()
    assert [json.loads(one)["request"] for one in Layout(data).forgotten.read_text().splitlines()] == ["forget-0b"]


@pytest.mark.parametrize("key", ["short", "two of-them-at-once", "", KEY + " " * 1_000 + OTHER_KEY])
@pytest.mark.parametrize("verb", ["forget", "subject-report"])
def test_what_is_no_key_is_refused_and_not_repeated(data: Path, verb: str, key: str) -> None:
    done = asked(data, verb, key=key)
    assert done.exit_code == 2
    assert "cannot be a licence key" in done.output
    assert not key or key not in done.output


@pytest.mark.parametrize("stdin", ["closed", "no text"])
@pytest.mark.parametrize("verb", ["forget", "subject-report"])
def test_standard_input_that_is_none_or_no_text_is_refused_in_one_line(data: Path, verb: str, stdin: str) -> None:
    command = [str(BIN / "collector"), verb, "--data", str(data)]
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(command)} {'<&-' if stdin == 'closed' else ''}"],
        input=b"LICENCE-\xff\xfe-0000\n",
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"cannot be a licence key" in done.stderr


@pytest.mark.parametrize("verb", [("forget",), ("forget", "--pending")])
def test_file_that_cannot_be_changed_is_told_of_in_one_line_and_goes_on_later(data: Path, verb: tuple[str]) -> None:
    _write_list(data, _line("forget-0a", TODAY, is_pending=True, pseudonyms=list(map(str, pseudonyms(data).values()))))
    in_the_way = data / "quarantine/.w8.part"
    in_the_way.mkdir(parents=True)
    done = asked(data, *verb)
    assert done.exit_code == 2
    assert done.stderr.startswith("collector: a file could not be written: ")
    in_the_way.rmdir()
    asked(data, "forget", "--pending")
    assert report(data) == {}


def test_key_with_space_around_it_is_the_key(data: Path) -> None:
    assert report(data, key=f"  {KEY}\t\r") == report(data)


def test_directory_without_peppers_is_told_of(data: Path) -> None:
    for path in (data / "secrets").iterdir():
        path.unlink()
    done = asked(data, "forget")
    assert done.exit_code == 2
    assert "holds no pepper" in done.output


def test_receipt_is_without_the_key_and_says_what_stays(data: Path) -> None:
    text = asked(data, "forget").stdout
    assert "9 rows of the spool" in text
    assert f"stays     backups of before, until {TODAY + dt.timedelta(days=9)}" in text
    assert not [word for word in (KEY, *map(str, pseudonyms(data).values())) if word in text]


def _line(
    request: str,
    until: dt.date,
    *,
    asked_on: dt.date = TODAY,
    is_pending: bool = False,
    pseudonyms: list[str] | None = None,
) -> dict:
    dates = {"asked_on": str(asked_on), "until": str(until)}
    return {"request": request, "pseudonyms": pseudonyms or [], "is_pending": is_pending} | dates


def _write_list(data: Path, *lines: dict) -> None:
    Layout(data).forgotten.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _journal(data: Path) -> str:
    path = Layout(data).requests
    return path.read_text() if path.exists() else ""


def _wait_until(is_so) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
