"""`collector forget` and `collector subject-report`, beside a running collector and without one."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import time
from pathlib import Path

import pytest

from collector.layout import Layout
from collector.store.engine import open_embedded
from tests.conftest import running
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
    with running(data, "--seal-after-seconds", "2") as server:
        server.wait_until_loaded()
        before = outside_the_engine(data)
        assert [path for path in before[1] if "quarantine" in path]
        said = asked(data, "subject-report")
        assert "9 reports held about this licence" in said.stdout
        for word in ("installbuilder", "25.7.0", "pt-BR", str(EARLIER), str(TODAY), "quarantine"):
            assert word in said.stdout
        assert outside_the_engine(data) == before  # nothing of the question is written
        send(server)  # into a segment that is open now
        said = receipt(data)
        assert said["state"] == "done"
        assert said["removed"]["store"] + said["removed"]["spool"] == 7
        assert said["removed"]["quarantine"] == 3
        assert report(data) == {}
        assert report(data, key=OTHER_KEY) == {"store": 6, "quarantine": 3}
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
    assert [json.loads(one)["request"] for one in Layout(data).forgotten.read_text().splitlines()] == ["forget-0b"]


@pytest.mark.parametrize("key", ["short", "two of-them-at-once", ""])
@pytest.mark.parametrize("verb", ["forget", "subject-report"])
def test_what_is_no_key_is_refused_and_not_repeated(data: Path, verb: str, key: str) -> None:
    done = asked(data, verb, key=key)
    assert done.exit_code == 2
    assert "cannot be a licence key" in done.output
    assert not key or key not in done.output


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


def _line(request: str, until: dt.date, *, is_pending: bool = False, pseudonyms: list[str] | None = None) -> dict:
    dates = {"asked_on": str(TODAY), "until": str(until)}
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
