"""`collector backup` and `collector restore`, beside a running collector and without one."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_quarantine import TODAY, spool
from tests.conftest import BIN, Server, collector, running

USAGE = ("usage", "--product", "wordpress", "--by", "product_version", "--grain", "day", "--format", "json")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with published days."""
    data = tmp_path_factory.mktemp("simulated") / "data"
    collector("simulate", "--data", str(data), "--days", "4", "--reports", "20000", "--seed", "3")
    return data


@pytest.fixture
def serving(simulated: Path, tmp_path: Path) -> Iterator[Server]:
    data = tmp_path / "data"
    shutil.copytree(simulated, data, symlinks=True)
    with running(data) as server:
        yield server


def usage(data: Path) -> dict:
    """Of closed days: of the open one nothing is published again."""
    answer = json.loads(collector(*USAGE, "--data", str(data)).stdout)
    del answer["so_far"]
    return answer


def test_what_a_running_collector_backed_up_comes_back_into_another_directory(serving: Server, tmp_path: Path) -> None:
    token = serving.token
    spool(serving.data, "w7", 5, 0)
    loaded = serving.wait_until_loaded()["loaded"]
    published = usage(serving.data)
    said = collector("backup", "--data", str(serving.data), "--to", str(tmp_path / "backups"))
    (backup,) = (tmp_path / "backups").iterdir()
    assert said.stdout.startswith(f"{backup}: ")
    assert "backing up" not in said.stderr  # no bar where nobody looks
    serving.stop()
    shutil.rmtree(serving.data)

    checked = collector("restore", "--from", str(backup), "--check")
    assert "are what was written" in checked.stdout
    restored = collector("restore", "--from", str(backup), "--data", str(serving.data))
    assert "every partition was compared" in restored.stdout
    assert "put the peppers back" in restored.stdout
    assert usage(serving.data) == published
    with running(serving.data) as again:
        assert again.status()["loaded"] == loaded
        again.__dict__["token"] = token  # the one from before still opens the door
        assert again.ask("/v1/products").status == 200


def test_without_a_running_collector_what_waits_is_loaded_first(simulated: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(simulated, data, symlinks=True)
    spool(data, "w7", 5, 0)
    answer = json.loads(
        collector("backup", "--data", str(data), "--to", str(tmp_path / "to"), "--format", "json").stdout
    )
    manifest = json.loads((Path(answer["backup"]) / "manifest.json").read_text())
    open_day = [one for one in manifest["partitions"] if one["table"] == "private.reports"]
    assert sum(one["rows"] for one in open_day if one["partition"] == f"{TODAY:%Y%m%d}") >= 5
    assert answer["rows"] == sum(one["rows"] for one in manifest["partitions"])


def test_days_that_may_be_out_already_are_told_of(simulated: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(simulated, data, symlinks=True)
    backup = json.loads(
        collector("backup", "--data", str(data), "--to", str(tmp_path / "to"), "--format", "json").stdout
    )["backup"]
    back = tmp_path / "back"
    answer = json.loads(collector("restore", "--from", backup, "--data", str(back), "--format", "json").stdout)
    hours = sum(hour <= dt.datetime.now(dt.UTC).hour for hour in (6, 12, 18))
    assert len(answer["withheld"]) == hours
    other = tmp_path / "other"
    answer = json.loads(
        collector("restore", "--from", backup, "--data", str(other), "--publish-again", "--format", "json").stdout
    )
    assert answer["withheld"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["restore", "--from", "nowhere"], "is no backup: manifest.json cannot be read"),
        (["restore"], "Missing option '--from'"),
        (["backup"], "Missing option '--to'"),
        (["backup", "--to", "x", "--keep-days", "0"], "0 is not in the range"),
        (["backup", "--to", "x", "--data", "nowhere"], "holds no collector data"),
    ],
)
def test_mistakes_are_told_with_the_way_out(arguments: list[str], says: str, tmp_path: Path) -> None:
    result = subprocess.run([BIN / "collector", *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_directory_that_cannot_be_written_is_named(serving: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = collector("backup", "--data", str(serving.data), "--to", str(tmp_path / "file" / "x"), check=False)
    assert result.returncode == 2
    assert "Not a directory" in result.stderr
    assert serving.status()["waiting"] == 0  # it lives


def test_store_that_holds_something_is_not_overwritten(serving: Server, tmp_path: Path) -> None:
    answer = collector("backup", "--data", str(serving.data), "--to", str(tmp_path / "to"), "--format", "json")
    backup = json.loads(answer.stdout)["backup"]
    running_still = collector("restore", "--from", backup, "--data", str(serving.data), check=False)
    assert running_still.returncode == 2
    assert "in use" in running_still.stderr
    other = tmp_path / "other"
    collector("simulate", "--data", str(other), "--days", "6", "--reports", "3000", "--seed", "4")
    refused = collector("restore", "--from", backup, "--data", str(other), check=False)
    assert refused.returncode == 2
    assert "do not come from here" in refused.stderr


def test_interrupted_it_leaves_nothing_that_looks_like_a_backup(serving: Server, tmp_path: Path) -> None:
    into = tmp_path / "backups"
    with subprocess.Popen(
        [BIN / "collector", "backup", "--data", serving.data, "--to", into], stderr=subprocess.PIPE, text=True
    ) as taking:
        deadline = time.monotonic() + 20
        while not into.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        taking.send_signal(signal.SIGINT)
        assert taking.wait(20) != 0
    deadline = time.monotonic() + 10
    while found := list(into.iterdir()):
        if not found[0].name.startswith("."):
            break  # it was done before it heard of it
        assert time.monotonic() < deadline
        time.sleep(0.05)
    serving.status()
    collector("backup", "--data", str(serving.data), "--to", str(into))
