"""One day of a real collector with everything going wrong that can, watched for what must not show.

Files while rows wait in the spool, processes, answers, metrics, log, files and tables at the end: all of it is
shown to `Evidence`. The run has a working directory and a directory for temporary files of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import resource
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collector.configuration import read_configuration
from collector.layout import layout
from collector.settings import Settings
from collector.store.engine import open_embedded
from collector.storeroom import open_store
from schemas.policy import SHIPPED_POLICY
from tests.conftest import Server, children, running
from tests.leaks import places
from tests.leaks.asking import ask_loopback, ask_on_the_command_line, send
from tests.leaks.beforehand import prepare, today
from tests.leaks.evidence import Evidence
from tests.leaks.planted import (
    GOOD_RUN,
    KEY,
    NEW_VALUES_PER_DAY,
    RUN,
    a_flood,
    accepted,
    everything,
    over_the_budget,
    post,
    withdrawn,
)

TRUSTED = "127.64.0.0/10"
"""Holds the client and does not name it: everybody on a machine can read the options of a process."""


@dataclass
class Day:
    """What came of the run.

    Attributes:
        evidence: what was found where.
        answers: planted place -> outcome that the answer gave, None where there was none.
        loopback: what was asked of the loopback ports -> the answer.
        events: the log's events.
        exposition: /metrics, at the end.
        cores: files that a process left in dying.
        control: what the same search finds of a key that was planted into the directory afterwards.
    """

    evidence: Evidence
    answers: dict[str, str | None] = field(default_factory=dict)
    loopback: dict[str, bytes] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    exposition: str = ""
    cores: list[str] = field(default_factory=list)
    control: set[str] = field(default_factory=set)


def live(directory: Path) -> Day:
    """Lives through the day in an empty directory."""
    with _surroundings(directory):
        data, policy = directory / "data", directory / "policy.toml"
        needles = prepare(data)
        day = Day(Evidence(needles))
        policy.write_text(SHIPPED_POLICY.read_text(encoding="utf-8"), encoding="utf-8")
        options = ["--policy", str(policy), "--trusted-proxies", TRUSTED]
        with running(data, *options, "--new-values-per-day", str(NEW_VALUES_PER_DAY)) as server:
            _serve(server, day, policy)
            assert server.stop() == 0
            assert server.process.stdout is not None
            day.evidence.look("stdout of serve", server.process.stdout.read().encode())
        _close_today(data)
        ask_on_the_command_line(data, day.evidence, beside_serve=False)
        _look_at_the_end(day, directory)
        control = Evidence(needles)
        (data / "engine" / "store" / "planted").write_bytes(b"\x00" + KEY.encode("utf-16-le"))
        (directory / "tmp" / "planted").write_text(KEY.encode().hex())
        control.look_at_all("planted", places.files(directory))
        day.control = set(control.found["licence key"])
    return day


@contextlib.contextmanager
def _surroundings(directory: Path) -> Iterator[None]:
    """A working directory and a TMPDIR of the run's own, and leave to dump core as far as the system gives it."""
    (directory / "cwd").mkdir()
    (directory / "tmp").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory / "cwd")
        patch.setenv("TMPDIR", str(directory / "tmp"))
        for name in [name for name in os.environ if name.startswith(("COLLECTOR_", "TELEMETRY_"))]:
            patch.delenv(name)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def _serve(server: Server, day: Day, policy: Path) -> None:
    """The day's requests, crashes and questions; the server serves on afterwards."""
    store, worker = _child(server, "collector.storekeeper"), _child(server, "collector.worker")
    # Stopped, the store takes nothing: all that was accepted can be looked at in the spool.
    os.kill(store, signal.SIGSTOP)
    for planted in (*accepted(), a_flood()):
        day.answers[planted.place] = send(server, planted, day.evidence)
    time.sleep(1.5)  # the worker looks for floods twice a second
    for planted in (over_the_budget(), *everything()):
        day.answers[planted.place] = send(server, planted, day.evidence)
    _wait(lambda: not list(server.data.glob("spool/w0/open/*")))
    _look_at_the_running(server, day, "while rows wait")
    with _half_a_report(server):
        os.kill(worker, signal.SIGKILL)
    os.kill(store, signal.SIGKILL)
    _wait(lambda: _child(server, "collector.worker", but=worker) and _answers(server))
    _crash(server, day)
    _reload(server, policy)
    for planted in (withdrawn(), *everything()):
        day.answers[planted.place] = send(server, planted, day.evidence)
    _wait(lambda: (server.status()["last_closed"] or "") >= str(today() - dt.timedelta(days=1)), 40)
    server.wait_until_loaded()
    day.loopback = ask_loopback(server, day.evidence)
    ask_on_the_command_line(server.data, day.evidence, beside_serve=True)
    _look_at_the_running(server, day, "while serving")
    day.exposition = "\n".join(server.metric_lines())


def _child(server: Server, module: str, but: int = 0) -> int:
    """The id of the process of the server's that runs a module, other than `but`; 0 if there is none."""
    for pid in children(server.process.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if pid != but and module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return 0


@contextlib.contextmanager
def _half_a_report(server: Server) -> Iterator[None]:
    """A connection that has brought most of a report with the key in it."""
    address = urlsplit(server.ingest)
    with socket.create_connection((address.hostname or "", address.port or 0), 5) as connection:
        connection.sendall(post(GOOD_RUN | {"license_key": KEY}, RUN)[:-5])
        time.sleep(0.2)
        yield


def _crash(server: Server, day: Day) -> None:
    """Lets the worker crash as a fault in a library would, and waits for the next one."""
    worker = _child(server, "collector.worker")
    os.kill(worker, signal.SIGSEGV)
    _wait(lambda: _child(server, "collector.worker", but=worker) and not Path(f"/proc/{worker}").exists())
    _wait(lambda: _answers(server))
    day.cores = [path.name for path in Path.cwd().iterdir()]


def _answers(server: Server) -> bool:
    with contextlib.suppress(OSError, urllib.error.URLError):
        urllib.request.urlopen(f"{server.ingest}/livez", timeout=5).close()
        return True
    return False


def _reload(server: Server, policy: Path) -> None:
    """Withdraws a field and sends SIGHUP."""
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace('field = "os_version"\n', 'field = "os_version"\nwithdrawn = true\n'), "utf-8")
    server.process.send_signal(signal.SIGHUP)
    _wait(lambda: server.metric('telemetry_reloads_total{result="done"}'))


def _wait(until: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _look_at_the_running(server: Server, day: Day, when: str) -> None:
    day.evidence.look_at_all(when, places.files(server.data.parent))
    pids = [server.process.pid, *children(server.process.pid)]
    day.evidence.look_at_all(when, places.processes(pids))
    day.evidence.look(f"{when}: /metrics", "\n".join(server.metric_lines()).encode())


def _close_today(data: Path) -> None:
    """Closes today as tomorrow would."""
    settings = Settings(data=data)
    with open_store(settings, layout(settings), read_configuration(settings)) as room:
        room.publisher.publish(today() + dt.timedelta(days=1), today())


def _look_at_the_end(day: Day, directory: Path) -> None:
    day.evidence.look_at_all("at the end", places.files(directory))
    log = (directory / "data.log").read_text()
    day.events = {json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")}
    engine = open_embedded(directory / "data" / "engine")
    try:
        day.evidence.look_at_all("table", places.tables(engine))
        day.evidence.look("table definitions", places.definitions(engine))
    finally:
        engine.close()
