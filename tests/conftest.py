"""What the suites share: configuration, an engine in a directory of its own, and a real running server."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
import structlog

from collector.configuration import Configuration, read_configuration
from collector.ingest.validation import Validator
from collector.settings import Settings
from collector.store.engine import Engine, open_embedded
from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine
from tests.clickhouse_server import ClickHouseServer, NotAvailableError
from tests.cluster import Cluster
from tests.ready_engine import ReadyEngine
from tests.sample_days import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

Startable = TypeVar("Startable", ClickHouseServer, Cluster)
PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ID = "0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44"


# Suites whose files take long with few tests, mostly waiting: begun first, so that none is the last to run alone.
_LONG = (
    *("systemd", "monitoring", "end_to_end", "containers", "outage", "crash", "abuse", "leaks", "publish", "cli"),
    *("images", "store", "clickhouse", "utility", "attacks", "reports"),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first; `--dist loadfile --no-loadscope-reorder` hands files out in this order.

    A test marked `only_with("X")` is there only with X=all: such are long, and a make target of their own sets it.
    """
    left_out = [
        item for item in items if any(os.environ.get(mark.args[0]) != "all" for mark in item.iter_markers("only_with"))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    rank = {PROJECT / "tests" / suite: number for number, suite in enumerate(_LONG)}

    def turn(item: pytest.Item) -> int:
        return min((number for suite, number in rank.items() if suite in item.path.parents), default=len(rank))

    items.sort(key=turn)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no CI variable of this machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("COLLECTOR_", "TELEMETRY_")) or name in {"CI", "DO_NOT_TRACK"}:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    """No command that another test ran in this process decides what is logged: loggers keep what they first saw."""
    structlog.reset_defaults()
    for name, module in list(sys.modules.items()):
        if name.startswith("collector."):
            getattr(getattr(module, "log", None), "__dict__", {}).pop("bind", None)


@pytest.fixture(scope="session")
def configuration() -> Configuration:
    return read_configuration(Settings(data=Path("unused")))


@pytest.fixture
def validator(configuration: Configuration) -> Validator:
    return Validator(configuration.policy, configuration.catalogue, lambda _key, _day: ID, lambda: ID)


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A running ClickHouse server for all tests of a run; each empties it first."""
    with started(ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))) as server:
        yield server


@contextlib.contextmanager
def started(servers: Startable) -> Iterator[Startable]:
    """A ClickHouse server, or a cluster of them, that runs until the end; skips where it cannot be had."""
    try:
        servers.start()
    except NotAvailableError as error:
        missing(str(error))
    try:
        yield servers
    finally:
        servers.kill()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two shards for all tests of a run; each empties them first."""
    with started(Cluster(tmp_path_factory.mktemp("cluster"), 2)) as shards:
        yield shards


def missing(what: str) -> NoReturn:
    """Skips a test for want of something, or fails it where everything is to be run."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def engine_kind() -> str:
    """Which engine `engine` is; a suite that runs on both gives another fixture of this name."""
    return "embedded"


@pytest.fixture(scope="session")
def ready_engine(tmp_path_factory: pytest.TempPathFactory) -> ReadyEngine:
    """Puts an embedded engine with its tables where a test wants one."""
    return ReadyEngine(tmp_path_factory)


@pytest.fixture
def open_engine(engine_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Engine]:
    """Opens an engine without tables, on the same data each time."""
    if engine_kind == "embedded":
        return lambda: open_embedded(tmp_path / "engine")
    if engine_kind == "sharded":
        shards: Cluster = request.getfixturevalue("cluster")
        shards.empty()
        return shards.engine
    server: ClickHouseServer = request.getfixturevalue("clickhouse")
    server.empty()
    return lambda: ServerEngine(Address(server.url(), server.password_file, 20), "tests")


@pytest.fixture
def engine(
    open_engine: Callable[[], Engine], engine_kind: str, ready_engine: ReadyEngine, tmp_path: Path
) -> Iterator[Engine]:
    """An engine with its tables, on data of its own."""
    if engine_kind == "embedded":
        ready_engine.put(tmp_path / "engine")
    engine = open_engine()
    migrate(engine, DAY)
    yield engine
    engine.close()


def collector(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the real command."""
    result = subprocess.run(
        [BIN / "collector", *arguments], capture_output=True, text=True, env=os.environ | environment, check=False
    )
    if check and result.returncode:
        pytest.fail(f"collector {' '.join(arguments)} ended with {result.returncode}: {result.stderr}")
    return result


@dataclass
class Server:
    """A running `collector serve`."""

    process: subprocess.Popen[str]
    data: Path
    ingest: str
    reports: str
    metrics: str
    log: Path

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(collector("status", "--data", str(self.data), "--format", "json").stdout)
        return state

    def metric(self, line: str) -> float:
        """The value of one metric line, e.g. `telemetry_loaded_rows_total`; 0 if it is not there."""
        for found in self.metric_lines():
            if found.startswith(line):
                return float(found.rsplit(" ", 1)[1])
        return 0.0

    def metric_lines(self) -> list[str]:
        with urllib.request.urlopen(f"{self.metrics}/metrics") as response:
            return list(response.read().decode().splitlines())

    def wait_until_loaded(self, seconds: float = 20) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (state := self.status())["waiting"]:
            assert time.monotonic() < deadline, f"still waiting after {seconds} s: {state}"
            time.sleep(0.2)
        return state

    @functools.cached_property
    def token(self) -> str:
        """A token that opens the reports port, made by the real command beside the running server."""
        name = f"tests-{secrets.token_hex(4)}"
        return collector("token", "create", name, "--data", str(self.data)).stdout.strip()

    def ask(self, path: str, *, timeout: float = 30) -> HTTPResponse:
        """The answer of the reports port to GET `path`, with the token."""
        request = urllib.request.Request(f"{self.reports}{path}", headers={"Authorization": f"Bearer {self.token}"})
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
        return answer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def kill_everything(self) -> None:
        """SIGKILL to the supervisor and all its children at once."""
        pids = [self.process.pid, *children(self.process.pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


# What the parts of a collector listen on, and what makes the tests' ones quick.
_PORTS = {
    "serve": ["--ingest-port", "0", "--reports-port", "0", "--seal-after-seconds", "1"],
    "ingest": ["--ingest-port", "0", "--seal-after-seconds", "1"],
    "reports": ["--reports-port", "0"],
    "publish": ["--keep-running"],
}


def start_server(data: Path, *options: str, verb: str = "serve") -> Server:
    """A `collector serve`, or a part of one, on free ports, once it serves."""
    log = data.with_suffix(".log")
    with log.open("a") as errors:
        process = subprocess.Popen(
            [BIN / "collector", verb, "--data", data, *_PORTS[verb], "--metrics-port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        said = _said_until_it_serves(process, log)
    except BaseException:
        process.kill()  # nobody has it yet who could stop it; the processes that it started end with it
        process.wait()
        raise
    ingest, reports, metrics = (
        match[1] if (match := re.search(pattern, said)) else ""
        for pattern in (r"reports at (\S+)", r"counts at (\S+)/,", r"metrics at (\S+)/metrics")
    )
    return Server(process, data, ingest, reports, metrics, log)


def _said_until_it_serves(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            return "".join(lines)
    process.wait(timeout=30)
    process.stdout.close()
    pytest.fail(f"did not start: {lines} {log.read_text()}")


@contextlib.contextmanager
def running(data: Path, *options: str, verb: str = "serve") -> Iterator[Server]:
    """A server that is stopped at the end, whatever happens."""
    server = start_server(data, *options, verb=verb)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        assert server.process.stdout is not None
        server.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ready_engine: ReadyEngine) -> Iterator[Server]:
    """One server for all tests of a module."""
    data = tmp_path_factory.mktemp("server") / "data"
    ready_engine.put(data / "engine")
    with running(data) as server:
        yield server
