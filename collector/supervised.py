"""One process that is kept running: started, watched, started again when it ends, told to reload or to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import structlog
from prometheus_client import multiprocess

from collector import child
from collector.metrics import PROCESS_RESTARTS

if TYPE_CHECKING:
    from collector.layout import Layout
    from collector.settings import Settings

log = structlog.get_logger()
_SHORTEST_BACKOFF_SECONDS = 1
_LONGEST_BACKOFF_SECONDS = 30
_RELOAD_SECONDS = 10
# Long bodies get memory of their own and give it back. Left to itself the C library moves them into its heap, which
# then falls to pieces: a worker under attack grew by a megabyte a second, and none of it was in use.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "2"}


class Supervised:
    """A child of the supervisor. How the two talk is in `collector/child.py`.

    Args:
        name: what the log calls it.
        arguments: module and arguments, `["collector.worker", "0", "5"]`.
        descriptors: what it inherits.
        settings: what it runs with.
        paths: where its metrics are.

    Attributes:
        ready: set while it serves.
    """

    def __init__(
        self, name: str, arguments: list[str], descriptors: tuple[int, ...], settings: Settings, paths: Layout
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._arguments = arguments
        self._descriptors = descriptors
        self._settings = settings
        self._paths = paths
        self._stop = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reloaded: asyncio.Future[bool] | None = None

    async def keep(self) -> bool:
        """Runs the process until `stop`, again and again if need be, waiting longer each time.

        Returns:
            Whether it could run at all; False if it said that it cannot start before it ever served.
        """
        backoff = 0.5
        has_served = False
        while not self._stop.is_set():
            backoff = min(max(_SHORTEST_BACKOFF_SECONDS, backoff * 2), _LONGEST_BACKOFF_SECONDS)
            try:
                code, lived = await self._run_once()
            except OSError as error:
                log.error("process_not_started", child=self.name, error=type(error).__name__)
                await self._pause(backoff)
                continue
            has_served = has_served or self.ready.is_set()
            self.ready.clear()
            if self._stop.is_set():
                return True
            if code == child.CANNOT_START and not has_served:
                return False
            if lived > _LONGEST_BACKOFF_SECONDS:
                backoff = _SHORTEST_BACKOFF_SECONDS
            PROCESS_RESTARTS.inc()
            log.error("process_ended", child=self.name, code=code, restart_in_seconds=backoff)
            await self._pause(backoff)
        return True

    def stop(self) -> None:
        """Asks the process to end; `keep` returns once it has."""
        self._stop.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """Ends the process at once, if it runs; a spool of its is recovered later."""
        if self._process is not None and self._process.returncode is None:
            log.error("process_killed", child=self.name)
            self._process.kill()

    async def reload(self) -> bool:
        """Has the process read what may change while running; returns whether it works with that now."""
        try:
            async with asyncio.timeout(_RELOAD_SECONDS):
                await self.ready.wait()
                assert self._process is not None  # noqa: S101 - it is ready
                assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
                self._reloaded = asyncio.get_running_loop().create_future()
                self._process.stdin.write(f"{child.RELOAD}\n".encode())
                return await self._reloaded
        except (TimeoutError, ConnectionError):
            return False  # it is hanging, or was just ending: started again, it reads everything anyway

    async def _run_once(self) -> tuple[int, float]:
        """One life of the process: its exit code and how many seconds it lived."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=self._descriptors,
            env=os.environ | _MALLOC,
            start_new_session=True,  # Ctrl-C is for the supervisor; it stops its children in order
        )
        self._process = process
        listening = asyncio.create_task(self._listen(process))
        try:
            assert process.stdin is not None  # noqa: S101 - asked for above
            process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
            if self._stop.is_set():
                process.stdin.close()  # asked to stop while it was being started
        except ConnectionError:
            pass  # it ended at once; its exit code says why
        code = await process.wait()
        await listening
        if self._reloaded is not None and not self._reloaded.done():
            self._reloaded.set_result(False)
        multiprocess.mark_process_dead(process.pid, str(self._paths.metrics))  # type: ignore[no-untyped-call]
        return code, loop.time() - started

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Hears what the process says; one that is silent for too long is killed."""
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        while True:
            try:
                async with asyncio.timeout(self._settings.silent_process_seconds):
                    word = (await process.stdout.readline()).decode(errors="replace").strip()
            except TimeoutError:
                log.error("process_silent", child=self.name)
                process.kill()
                return
            if not word:
                return
            if word == child.READY:
                self.ready.set()
            elif word in {child.RELOADED, child.NOT_RELOADED} and self._reloaded and not self._reloaded.done():
                self._reloaded.set_result(word == child.RELOADED)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
