"""`collector serve`: starts the ingest workers and the store process, restarts what crashes, stops cleanly.

The supervisor binds every port itself, once and exclusively, so that two servers never share one by
accident, and hands the listening sockets down: all workers accept from one queue, and connections that
wait in it survive the crash of a worker.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from prometheus_client import multiprocess

from collector import metrics
from collector.child import CANNOT_START
from collector.configuration import read_configuration
from collector.ingest import segment
from collector.ingest.pseudonyms import Peppers
from collector.layout import Layout, hold, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.settings import Settings

log = structlog.get_logger()
STOP_SECONDS = 10
_LONGEST_BACKOFF_SECONDS = 30
_ORPHANS_SECONDS = 15


class AddressInUseError(Exception):
    """A port that cannot be bound."""


@dataclass
class Child:
    """One supervised process and how to start it again."""

    name: str
    arguments: list[str]
    descriptors: tuple[int, ...]
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Runs one machine's collector.

    Args:
        settings: what to run with.
        announce: called with the addresses once everything serves.

    Attributes:
        failed: after `run`, the process that could not start, if one could not; its log line says why.
    """

    def __init__(self, settings: Settings, announce: Callable[[dict[str, str]], None]) -> None:
        self._settings = settings
        self._announce = announce
        self._stop = asyncio.Event()
        self.failed: str | None = None

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT.

        Raises:
            ConfigurationError, DirectoryInUseError, AddressInUseError, PepperError: cannot start; the
                text says why.
        """
        settings = self._settings
        read_configuration(settings)
        paths = layout(settings)
        lock = hold(paths, _ORPHANS_SECONDS, for_orphans_only=True)
        Peppers(paths.secrets).prepare(dt.datetime.now(dt.UTC).date())
        self._clear(paths)
        ingest = _bind(settings.ingest_host, settings.ingest_port)
        reports = _bind(settings.reports_host, settings.reports_port)
        exposition = _bind(settings.metrics_host, settings.metrics_port)
        store = Child("store", ["collector.storekeeper", str(reports.fileno())], (reports.fileno(), lock))
        workers = [
            Child(
                f"ingest-{i}",
                ["collector.worker", str(i), str(ingest.fileno())],
                (ingest.fileno(), lock),
            )
            for i in range(settings.workers)
        ]
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        keepers = {child.name: asyncio.create_task(self._keep(child)) for child in (*workers, store)}
        runner = await _serve_metrics(exposition)
        announced = asyncio.create_task(self._announce_when_ready([*workers, store], ingest, reports, exposition))
        await self._stop.wait()
        # Workers first: what they seal in stopping, the store still loads.
        await self._end(workers, keepers)
        await self._end([store], keepers)
        announced.cancel()
        await runner.cleanup()

    def _clear(self, paths: Layout) -> None:
        """Removes what belongs to processes that are gone, and seals spools that no worker owns now."""
        shutil.rmtree(paths.metrics)
        paths.metrics.mkdir(mode=0o700)
        owned = {f"w{index}" for index in range(self._settings.workers)}
        for directory in paths.spool.iterdir():
            if directory.is_dir() and directory.name not in owned:
                segment.prepare(directory)
                segment.recover(directory)

    async def _announce_when_ready(self, children: list[Child], *sockets: socket.socket) -> None:
        for one in children:
            await one.ready.wait()
        names = ("ingest", "reports", "metrics")
        self._announce({name: _address(s) for name, s in zip(names, sockets, strict=True)})

    async def _keep(self, child: Child) -> None:
        """Starts a child, and again when it ends without being asked to, waiting longer each time."""
        backoff = 0.5
        while not self._stop.is_set():
            try:
                child.process = await self._start(child)
            except OSError as error:
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
                log.error("process_not_started", child=child.name, error=type(error).__name__)
                await self._pause(backoff)
                continue
            if self._stop.is_set() and child.process.stdin is not None:
                child.process.stdin.close()  # asked to stop while it was being started
            watching = asyncio.create_task(_watch_ready(child))
            started = asyncio.get_running_loop().time()
            code = await child.process.wait()
            watching.cancel()
            multiprocess.mark_process_dead(child.process.pid, self._metrics_path())  # type: ignore[no-untyped-call]
            if self._stop.is_set():
                return
            if code == CANNOT_START and not child.ready.is_set():
                self.failed = child.name
                self._stop.set()
                return
            lived = asyncio.get_running_loop().time() - started
            backoff = 0.5 if lived > _LONGEST_BACKOFF_SECONDS else min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
            log.error("process_ended", child=child.name, code=code, restart_in_seconds=backoff)
            await self._pause(backoff)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *child.arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=child.descriptors,
            start_new_session=True,  # Ctrl-C is for the supervisor; it stops its children in order
        )
        assert process.stdin is not None  # noqa: S101 - asked for above
        process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
        await process.stdin.drain()
        return process

    async def _end(self, children: list[Child], keepers: dict[str, asyncio.Task[None]]) -> None:
        """Asks children to stop; one that does not within the time is killed (its spool is recovered later)."""
        for child in children:
            if child.process is not None and child.process.stdin is not None:
                child.process.stdin.close()
        tasks = [keepers[child.name] for child in children]
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        if not late:
            return
        for child in children:
            if child.process is not None and child.process.returncode is None:
                log.error("process_killed", child=child.name)
                child.process.kill()
        await asyncio.wait(tasks, timeout=STOP_SECONDS)

    def _metrics_path(self) -> str:
        return str(Layout(self._settings.data.absolute()).metrics)


async def _watch_ready(child: Child) -> None:
    assert child.process is not None  # noqa: S101 - started just before
    assert child.process.stdout is not None  # noqa: S101 - a pipe was asked for
    if await child.process.stdout.readline() == b"ready\n":
        child.ready.set()


async def _serve_metrics(listening: socket.socket) -> web.AppRunner:
    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.router.add_get("/metrics", exposition)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    # Lets a restart bind while old connections fade; another listener on the port is still refused.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        advice = "; choose another port or stop what uses it" if error.errno == errno.EADDRINUSE else ""
        raise AddressInUseError(f"{host}:{port} cannot be used: {error.strerror}{advice}") from error
    listening.listen(1024)
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
