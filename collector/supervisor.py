"""`collector serve` and its parts: starts the ingest workers and the store process, keeps, reloads and stops them.

The supervisor binds every port itself and hands the listening sockets down: all workers accept from one
queue, and connections that wait in it survive the crash of a worker.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import resource
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from collector import metrics, permit_watch, service_manager
from collector.condition import Condition
from collector.configuration import Configuration, accept, accepted, fingerprint, note_taken, read_configuration
from collector.ingest import segment
from collector.ingest.pseudonyms import Peppers
from collector.ingest.tls import CertificateError, check_pair
from collector.layout import Layout, hold, layout
from collector.listening import address, bind
from collector.roles import Role
from collector.supervised import Supervised
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from collector.settings import Settings

log = structlog.get_logger()
# For each of two stages, the workers and then the store: ten seconds in all.
STOP_SECONDS = 5
_ORPHANS_SECONDS = 15
# A store that is not there yet holds up no report: the workers take them meanwhile.
_STORE_SECONDS = 15


class Supervisor:
    """Runs one machine's collector.

    Args:
        settings: what to run with.
        role: which part of the collector this is.
        announce: called with the addresses, and whether the store works too, once reports are taken.

    Attributes:
        failed: after `run`, the process that could not start, if one could not; its log line says why.
    """

    def __init__(self, settings: Settings, role: Role, announce: Callable[[dict[str, str], bool], None]) -> None:
        self._settings = settings
        self._role = role
        self._announce = announce
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers: list[Supervised] = []
        self.failed: str | None = None

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT; SIGHUP reads policy, catalogue and certificate again.

        Raises:
            ConfigurationError, DirectoryInUseError, AddressInUseError, PepperError, CertificateError:
                cannot start; the text says why.
        """
        settings = self._settings
        # For the processes it starts too: a crash must not write memory, with the pepper and reports in it, to disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        configuration = read_all(settings)
        paths = layout(settings)
        lock = hold(paths, _ORPHANS_SECONDS, for_orphans_only=True)
        if self._role.takes_reports:
            Peppers(paths.secrets, makes=self._role is Role.SERVE).prepare(dt.datetime.now(dt.UTC).date())
        self._clear(paths)
        accept(paths, configuration)
        note_taken(paths, configuration)
        condition = Condition(settings, self._role, paths)
        condition.begin(configuration)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._begin(self._reload(condition)))
        sockets = self._bind()
        exposition = bind(settings.metrics_host, settings.metrics_port)
        store = self._supervised("store", ["collector.storekeeper", self._role], sockets.get("reports"), lock, paths)
        if self._role.takes_reports:
            self._workers = [
                self._supervised(
                    f"ingest-{i}", ["collector.worker", self._role, str(i)], sockets["ingest"], lock, paths
                )
                for i in range(settings.workers)
            ]
        keepers = {one: asyncio.create_task(self._keep(one)) for one in (*self._workers, store)}
        runner = await _serve_metrics(exposition, condition)
        schemes = {"ingest": "https" if settings.tls_certificate else "http"}
        addresses = {
            what: address(one, schemes.get(what, "http")) for what, one in (sockets | {"metrics": exposition}).items()
        }
        self._begin(self._announce_when_ready(store, addresses, configuration, paths))
        self._begin(_feed_watchdog())
        self._begin(permit_watch.watch(paths))
        await self._stop.wait()
        service_manager.notify("STOPPING=1")
        for task in self._tasks:
            task.cancel()
        # Workers first: what they seal in stopping, the store still loads.
        await _end(self._workers, keepers)
        await _end([store], keepers)
        await runner.cleanup()

    def _bind(self) -> dict[str, socket.socket]:
        """The sockets of this role: `ingest`, `reports`."""
        settings = self._settings
        sockets = {}
        if self._role.takes_reports:
            sockets["ingest"] = bind(settings.ingest_host, settings.ingest_port)
        if self._role.answers:
            sockets["reports"] = bind(settings.reports_host, settings.reports_port)
        return sockets

    def _supervised(
        self, name: str, arguments: list[str], listening: socket.socket | None, lock: int, paths: Layout
    ) -> Supervised:
        """A process of ours that inherits the lock, and the socket whose number is its last argument."""
        inherited = () if listening is None else (listening.fileno(),)
        arguments = [*arguments, *map(str, inherited)]
        return Supervised(name, arguments, (*inherited, lock), self._settings, paths)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, one: Supervised) -> None:
        try:
            could_start = await one.keep()
        except Exception as error:  # noqa: BLE001 - a process that nobody keeps any more must not go unnoticed
            log.error("process_not_kept", child=one.name, error=type(error).__name__)
            could_start = False
        if not could_start:
            self.failed = one.name
            self._stop.set()

    def _clear(self, paths: Layout) -> None:
        """Removes what belongs to processes that are gone, and seals spools that no worker owns now."""
        for values in paths.metrics.iterdir():
            if not values.name.endswith(f"_{os.getpid()}.db"):
                values.unlink() if values.is_file() else shutil.rmtree(values)
        paths.configuration_mark.unlink(missing_ok=True)
        owned = {f"w{index}" for index in range(self._settings.workers)}
        for directory in paths.spool.iterdir():
            if directory.is_dir() and directory.name not in owned and directory.name != "lost+found":
                segment.prepare(directory)
                segment.recover(directory)

    async def _announce_when_ready(
        self, store: Supervised, addresses: dict[str, str], configuration: Configuration, paths: Layout
    ) -> None:
        for worker in self._workers:
            await worker.ready.wait()
        async with self._reloading:
            if not paths.configuration_mark.exists():  # else a reload was quicker
                _mark(paths, configuration)
        service_manager.notify("READY=1")
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await store.ready.wait()
        except TimeoutError:
            log.error("store_not_ready")
        self._announce(addresses, store.ready.is_set())

    async def _reload(self, condition: Condition) -> None:
        """Has all workers take policy, catalogue and certificate as they are now; a bad one changes nothing."""
        async with self._reloading:
            service_manager.notify_reloading()
            paths = Layout(self._settings.data.absolute())
            try:
                read = read_all(self._settings)
                # The store keeps the menu that it started with: what is released must not change in the middle.
                configuration = replace(read, menu=accepted(paths).menu)
            except (ConfigurationError, CertificateError) as error:
                log.error("not_reloaded", because=str(error))
                condition.refuse()
                metrics.RELOADS.labels("refused").inc()
            else:
                accept(paths, configuration)
                results = await asyncio.gather(*(worker.reload() for worker in self._workers))
                if all(results):
                    _mark(paths, configuration)
                    await asyncio.to_thread(note_taken, paths, configuration)
                    log.info("reloaded")
                    condition.take(configuration)
                    permit_watch.say(configuration.policy, dt.datetime.now(dt.UTC).date())
                    metrics.RELOADS.labels("done").inc()
                else:
                    log.error("not_reloaded", because="a process did not take it; its line above says why")
                    condition.refuse()
                    metrics.RELOADS.labels("failed").inc()
            service_manager.notify("READY=1")


def read_all(settings: Settings) -> Configuration:
    """What SIGHUP reads: policy, catalogue and menu, and the certificate as a check.

    Raises:
        ConfigurationError, CertificateError: it may not be used; the text says why.
    """
    if settings.tls_certificate and settings.tls_key:
        check_pair(settings.tls_certificate, settings.tls_key)
    return read_configuration(settings)


def _mark(paths: Layout, configuration: Configuration) -> None:
    """Says for local commands which configuration all workers have taken."""
    temporary = paths.configuration_mark.with_suffix(".new")
    temporary.write_text(f"{fingerprint(configuration)}\n", encoding="ascii")
    temporary.replace(paths.configuration_mark)


async def _end(children: list[Supervised], keepers: dict[Supervised, asyncio.Task[None]]) -> None:
    """Asks children to stop; one that does not within the time is killed."""
    for one in children:
        one.stop()
    tasks = [keepers[one] for one in children]
    if not tasks:
        return  # a part that takes no reports has no workers
    _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    if late:
        for one in children:
            one.kill()
        await asyncio.wait(tasks, timeout=STOP_SECONDS)


async def _feed_watchdog() -> None:
    seconds = service_manager.watchdog_seconds()
    while seconds:
        service_manager.notify_alive()
        await asyncio.sleep(seconds)


async def _serve_metrics(listening: socket.socket, condition: Condition) -> web.AppRunner:
    async def exposition(_: web.Request) -> web.Response:
        await asyncio.to_thread(condition.look, dt.datetime.now(dt.UTC).date())
        return web.Response(body=metrics.exposition(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.router.add_get("/metrics", exposition)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner
