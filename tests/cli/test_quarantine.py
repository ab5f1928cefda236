from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli.quarantine import command
from collector.ingest.spool import SegmentWriter
from tests.conftest import BIN, Server, collector, running
from tests.sample_days import row

TODAY = dt.datetime.now(dt.UTC).date()


def spool(data: Path, worker: str, good: int, bad: int) -> None:
    """A sealed segment with lines that the engine cannot read among those it can."""
    rows = [row(TODAY, report="canary-report") for _ in range(good)]
    rows[1:1] = [row(TODAY, report_id=f"canary-{n}") for n in range(bad)]
    content = b"".join(json.dumps(one, default=str).encode() + b"\n" for one in rows)
    writer = SegmentWriter(data / "spool" / worker, seal_after_bytes=1, reserve_percent=0)
    writer.append(TODAY, content)


def quarantine(data: Path, verb: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return collector("quarantine", verb, "--data", str(data), *arguments, check=check)


def names(data: Path) -> list[str]:
    listed = CliRunner().invoke(command, ["list", "--data", str(data), "--format", "json"])
    return [one["name"] for one in json.loads(listed.stdout)["segments"]]


def counts(data: Path) -> tuple[int, ...]:
    state = json.loads(collector("status", "--data", str(data), "--format", "json").stdout)
    assert state["accepted"] == state["loaded"] + state["waiting"] + state["quarantined"] + state["dropped"]
    return tuple(state[name] for name in ("loaded", "waiting", "quarantined", "dropped"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a collector that set two segments aside and was stopped."""
    data = tmp_path_factory.mktemp("stopped") / "data"
    spool(data, "w7", 5, 2)
    spool(data, "w8", 3, 1)
    with running(data) as server:
        server.wait_until_loaded()
        assert counts(data) == (0, 0, 11, 0)
    return data


@pytest.fixture
def data(stopped: Path, tmp_path: Path) -> Path:
    shutil.copytree(stopped, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def test_what_is_set_aside_is_listed_without_its_content(data: Path) -> None:
    text = quarantine(data, "list").stdout
    assert str(TODAY) in text
    assert "376" in text  # the engine's code: cannot parse a UUID
    assert "canary" not in text
    listed = json.loads(quarantine(data, "list", "--format", "json").stdout)
    assert [(one["reports"], one["code"]) for one in listed["segments"]] == [(7, 376), (4, 376)]


def test_retry_loads_all_but_what_cannot_be_read_and_drop_gives_that_up(data: Path) -> None:
    """On a directory that nobody serves."""
    first, second = names(data)
    result = quarantine(data, "retry", first, check=False)
    assert result.returncode == 1
    assert f"{first}: 5 reports loaded, 2 left in quarantine" in result.stdout
    assert counts(data) == (5, 0, 6, 0)
    again = json.loads(quarantine(data, "retry", "--all", "--format", "json", check=False).stdout)["segments"]
    assert again == [{"name": first, "loaded": 0, "left": 2}, {"name": second, "loaded": 3, "left": 1}]
    dropped = quarantine(data, "drop", f"{second}.ndjson", "--yes")
    assert f"{second}: 1 report given up" in dropped.stdout
    assert counts(data) == (8, 0, 2, 1)
    assert "segment_dropped" in dropped.stderr
    assert "canary" not in result.stdout + result.stderr + dropped.stdout + dropped.stderr
    assert "1 report given up earlier" in quarantine(data, "list").stdout


def test_running_server_retries_and_drops(data: Path) -> None:
    with running(data) as server:
        wait_and_check(server)
    assert counts(data) == (8, 0, 0, 3)
    assert "segment_dropped" in server.log.read_text()
    assert "segment_retried" in server.log.read_text()
    assert "canary" not in server.log.read_text()


def wait_and_check(server: Server) -> None:
    assert "left in quarantine" in quarantine(server.data, "retry", "--all", check=False).stdout
    assert counts(server.data) == (8, 0, 3, 0)
    assert server.metric("telemetry_loaded_rows_total") == 8
    quarantine(server.data, "drop", "--all", "--yes")
    assert counts(server.data) == (8, 0, 0, 3)
    assert quarantine(server.data, "list").stdout.startswith("quarantine is empty")


def test_drop_asks_and_a_script_must_confirm(data: Path) -> None:
    silent = subprocess.run(
        [BIN / "collector", "quarantine", "drop", "--data", data, "--all"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert silent.returncode == 2
    assert "confirms that with --yes" in silent.stderr
    asked = at_a_terminal(f"{BIN}/collector quarantine drop --data {data} --all", "n\n")
    assert "Give up 11 reports in 2 segments for good? [y/N]" in asked
    assert len(names(data)) == 2
    at_a_terminal(f"{BIN}/collector quarantine drop --data {data} --all", "y\n")
    assert names(data) == []


def at_a_terminal(line: str, answer: str) -> str:
    """What a person sees who runs this in a terminal and types an answer."""
    program = (
        "import os, pty, sys\n"
        "pid, terminal = pty.fork()\n"
        "if not pid: os.execvp('sh', ['sh', '-c', sys.argv[1]])\n"
        "seen = b''\n"
        "try:\n"
        "    while b'[y/N]' not in seen: seen += os.read(terminal, 1000)\n"
        "    os.write(terminal, sys.argv[2].encode())\n"
        "    while True: seen += os.read(terminal, 1000)\n"
        "except OSError: pass\n"
        "os.waitpid(pid, 0)\n"
        "print(seen.decode())"
    )
    terminal = [sys.executable, "-c", program, line, answer]
    return subprocess.run(terminal, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["retry"], "name segments, or give --all"),
        (["retry", "--all", "w0.2026-10-31.1f2e3d4c-000007"], "name segments, or give --all"),
        (["drop", "--yes", "../spool/w0"], "../spool/w0: is not in quarantine"),
    ],
)
def test_segments_must_be_named_as_they_are_listed(stopped: Path, arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(command, [arguments[0], "--data", str(stopped), *arguments[1:]])
    assert result.exit_code == 2
    assert problem in result.stderr
    assert len(names(stopped)) == 2


def test_directory_without_data_says_what_to_do(tmp_path: Path) -> None:
    result = quarantine(tmp_path / "nothing", "list", check=False)
    assert result.returncode == 2
    assert "holds no collector data" in result.stderr


@pytest.mark.parametrize("verb", command.commands)
def test_help_teaches_with_examples(verb: str) -> None:
    assert f"collector quarantine {verb} --data DIR" in CliRunner().invoke(command, [verb, "--help"]).stdout
