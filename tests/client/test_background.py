"""`send --background`: the caller goes on at once, and nothing of it is left with the process that sends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_client.background import Task, leave_behind, start_detached
from telemetry_client.facts import Given
from telemetry_client.state import State
from tests.client.conftest import PACKAGE_PARENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.client.conftest import Cli, Collector

FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
# Of this process: others that run beside it have keys in their processes too.
KEY = f"CANARY-0000-1111-2222-{os.getpid()}-0"
LICENSED = ("--product", "installbuilder", "--product-version", "23.1.0", "--license-key-stdin")


class Silent:
    """A collector that takes connections and says nothing; tells which processes are connected."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        self.connected = threading.Event()
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.connections.append(self.listening.accept()[0])
                self.connected.set()

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for each in (self.listening, *self.connections):
            each.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    collector = Silent()
    yield collector
    collector.close()


def _until(is_so: Callable[[], object], seconds: float = 10) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - started


def _senders(state: Path) -> list[Path]:
    """Processes that were started to work in this state directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(state).encode() in (process / "cmdline").read_bytes():
                found.append(process)
    return found


def _has_ended(process: Path) -> bool:
    # One that ended stays there until the machine's first process takes notice.
    with contextlib.suppress(OSError):
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_the_caller_returns_at_once_and_the_report_is_sent(cli: Cli, collector: Collector) -> None:
    cli("on")
    done = cli("send", "--background", "--format", "json", "--url", collector.url, *FACTS)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "outcome": "in the background",
        "message": "sending in the background; `telemetry-client log` shows what was sent",
        "also_sent": 0,
    }
    _until(lambda: "202" in cli("log").stdout)
    assert len(collector.received) == 1
    _until(lambda: not _senders(cli.state))


def test_nothing_of_the_caller_is_left_with_the_process_and_it_ends_in_time(cli: Cli, silent: Silent) -> None:
    cli("on")
    started = time.monotonic()
    done = cli(
        "send", "--background", "--timeout", "2", "--url", silent.url, *LICENSED, env={"MARK": "canary"}, stdin=KEY
    )
    # Its output is closed too: a caller that reads to the end of a pipe is not held up.
    assert time.monotonic() - started < 1.5
    assert "in the background" in done.stdout
    assert silent.connected.wait(5)
    (sender,) = _senders(cli.state)
    stat = (sender / "stat").read_text().rpartition(")")[2].split()
    assert int(stat[1]) != os.getpid()
    assert int(stat[3]) != os.getsid(0)
    files = {str(file.readlink()) for file in (sender / "fd").iterdir()}
    assert {file for file in files if not file.startswith("socket:")} <= {"/dev/null", str(cli.state / "lock")}
    assert len([file for file in files if file.startswith("socket:")]) <= 1
    assert (sender / "cwd").readlink() == Path("/")
    assert KEY.encode() not in (sender / "cmdline").read_bytes() + (sender / "environ").read_bytes()
    _until(lambda: _has_ended(sender), 3.5)
    assert time.monotonic() - started < 3.5
    assert not any(KEY.encode() in file.read_bytes() for file in cli.state.rglob("*") if file.is_file())
    assert "********" in cli("log").stdout


def test_a_caller_with_open_files_and_sockets_keeps_them_to_itself(cli: Cli, silent: Silent, tmp_path: Path) -> None:
    cli("on")
    kept = os.open(tmp_path / "kept", os.O_WRONLY | os.O_CREAT)
    os.set_inheritable(kept, True)
    command = [sys.executable, "-m", "telemetry_client", "send", "--background", "--timeout", "2", "--root"]
    subprocess.run(
        [*command, str(cli.root), "--state-dir", str(cli.state), "--url", silent.url, *FACTS],
        env={"PYTHONPATH": str(PACKAGE_PARENT), "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        pass_fds=[kept],
        check=True,
    )
    os.close(kept)
    assert silent.connected.wait(5)
    (sender,) = _senders(cli.state)
    assert str(tmp_path / "kept") not in {str(file.readlink()) for file in (sender / "fd").iterdir()}
    _until(lambda: _has_ended(sender), 4)


def test_what_is_not_sent_is_said_at_once_and_nothing_is_left_behind(cli: Cli, collector: Collector) -> None:
    send = ("send", "--background", "--url", collector.url)
    assert "nobody has switched it on" in cli(*send, *FACTS).stdout
    cli("on")
    assert cli(*send).returncode == 2
    assert cli(*send, *FACTS, env={"TELEMETRY_PROXY": "socks5://x"}).returncode == 0  # loopback has none
    assert cli(*send, *FACTS, "--dry-run").returncode == 2
    _until(lambda: not _senders(cli.state))
    assert len(collector.received) == 1


def test_the_caller_has_no_child_left() -> None:
    script = (
        "import os, time\n"
        "from telemetry_client.background import leave_behind\n"
        "assert leave_behind(lambda: time.sleep(0.3), 5)\n"
        "try:\n    os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError:\n    print('no child')\n"
    )
    environ = {"PYTHONPATH": str(PACKAGE_PARENT)}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "no child\n"
    # And what it left behind does not hold its output open.
    assert time.monotonic() - started < 1


def test_work_that_never_ends_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = (
        "import os, pathlib, sys, time\n"
        "from telemetry_client.background import leave_behind\n"
        "def work():\n    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n    time.sleep(60)\n"
        "leave_behind(work, 0.2)\n"
    )
    subprocess.run([sys.executable, "-c", script, mark], env={"PYTHONPATH": str(PACKAGE_PARENT)}, check=True)
    _until(lambda: mark.exists() and mark.read_text())
    assert _until(lambda: _has_ended(Path(f"/proc/{mark.read_text()}")), 3) < 1.5


def test_a_caller_that_ignores_its_children_is_no_trouble() -> None:
    script = (
        "import signal\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from telemetry_client.background import leave_behind\n"
        "print(leave_behind(lambda: None, 5))\n"
    )
    environ = {"PYTHONPATH": str(PACKAGE_PARENT)}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_where_there_is_no_fork_a_detached_process_reads_its_task(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "GITHUB_ACTIONS", "DO_NOT_TRACK"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path / "state"
    State(str(state)).choose(is_on=True, now=1)
    given = Given(product="installbuilder", product_version="23.1.0", license_key=KEY)
    (tmp_path / "root").mkdir()
    task = Task(given, collector.url, str(state), "", str(tmp_path / "root"), 5)
    assert KEY not in repr(task)
    assert start_detached(task)
    _until(lambda: len(collector.received) > 0)
    assert collector.received[0].fields["license_key"] == KEY
    _until((state / "sent").exists)


def test_no_room_for_a_process_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fork)
    assert not leave_behind(lambda: None, 1)
