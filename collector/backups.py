"""Taking and restoring backups of an open store: what a running collector does when asked, and what the commands do."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from aiohttp import web

from collector import forgotten
from collector.forgetting import forget_restored
from collector.publish.periods import ONE_DAY
from collector.store.backing_up import Backing
from collector.store.backup import BackupError, open_backup, remove_old
from collector.store.content import InterruptedClosingError
from collector.store.engine import EngineError
from collector.store.lease import HeldByAnotherError
from collector.store.move import Move

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from collector.publish.periods import Period
    from collector.store.backup import Backup
    from collector.storeroom import StoreRoom


@dataclass(frozen=True)
class Taken:
    """A backup that was taken.

    Attributes:
        path: where it is.
        rows: in all tables.
        bytes: of its files.
        removed: older ones that went.
    """

    path: Path
    rows: int
    bytes: int
    removed: list[Path]


@dataclass(frozen=True)
class Restored:
    """A backup that was put back.

    Attributes:
        rows: in all tables.
        erased: rows of licences that were forgotten since.
        withheld: periods that are over and get no cells, because they may have been published after the backup.
    """

    rows: int
    erased: int
    withheld: list[Period]


def take(
    room: StoreRoom,
    into: Path,
    keep_days: int,
    begin: Callable[[int], Callable[[int], None]],
    is_wanted: Callable[[], bool] = lambda: True,
) -> Taken:
    """Takes a backup, then removes those that are older than `keep_days`; no day may be closed meanwhile.

    Args:
        room: the store.
        into: the directory of backups.
        keep_days: how long a backup is kept.
        begin: told how many rows there are; returns what is told of rows that are done.
        is_wanted: False once nobody waits for it any more.

    Raises:
        HeldByAnotherError: another collector publishes from this store, and takes its backups.
        Everything that `Backing.take` raises.
    """

    def still() -> None:
        if not is_wanted():
            raise BackupError("whoever asked for it went away")
        room.publisher.lease.hold()

    if keep_days > (longest := room.publisher.limits.late_days):
        raise BackupError(
            f"reports in a backup that is kept {keep_days} days would be older than the policy allows; the longest is "
            f"{longest} days"
        )
    still()
    paths = room.paths
    forgotten.note_kept_days(paths, keep_days)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with closing(room.engine.session()) as session:
        path = Backing(session, paths.access, (paths.added_products, paths.simulated, paths.requests), still).take(
            into, now, begin
        )
    paths.last_backup.touch(mode=0o600)
    manifest = open_backup(path).manifest
    return Taken(path, manifest.rows, manifest.bytes, remove_old(into, now - keep_days * ONE_DAY))


def restore(
    room: StoreRoom,
    backup: Backup,
    now: dt.datetime,
    begin: Callable[[int], Callable[[int], None]],
    *,
    publish_again: bool,
) -> Restored:
    """Puts a backup into a store that holds nothing else; run again after a kill, it goes on.

    Args:
        room: the store.
        backup: what is put back.
        now: the time (UTC).
        begin: told how many rows there are; returns what is told of rows that are done.
        publish_again: whether days that ended since the backup are known not to be published yet.

    Raises:
        BackupError: a file is missing or damaged.
        HeldByAnotherError: another collector publishes from this store.
        OldPartsError: what was forgotten is out of the tables, and not off the disk.
        Everything that `Move.run` raises.
    """
    room.publisher.lease.hold()
    room.paths.restored.touch(mode=0o600)  # what was forgotten since is erased here, and at the next start once more
    rows = backup.manifest.rows
    Move(backup, room.engine, room.paths.data).run(begin(rows))
    backup.put_beside(room.paths.data)
    erased = forget_restored(room)
    withheld = [] if publish_again else room.publisher.withhold(now, now.date() - ONE_DAY)
    return Restored(rows, erased, withheld)


def routes(room: StoreRoom, publishing: asyncio.Lock) -> list[web.RouteDef]:
    """The route by which a running collector is asked for a backup; it answers with lines as it goes on."""

    async def post_backup(request: web.Request) -> web.StreamResponse:
        into, keep_days = Path(request.query.get("to", "")), request.query.get("keep_days", "")
        if not into.is_absolute() or not keep_days.isdecimal():
            return web.json_response({"error": "'to' is an absolute path and 'keep_days' a number"}, status=400)
        if not room.role.publishes:
            because = "this collector does not publish: ask the one that runs `collector publish` or `collector serve`"
            return web.json_response({"error": because}, status=409)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async with publishing:
            async for line in _taking(room, into, int(keep_days)):
                await response.write(json.dumps(line).encode() + b"\n")
        return response

    return [web.post("/backup", post_backup)]


async def _taking(room: StoreRoom, into: Path, keep_days: int) -> AsyncIterator[dict[str, Any]]:
    """`rows`, then `done` as often as some are, at the end what was taken or `error`."""
    loop, lines, gone = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]](), Event()

    def tell(**line: Any) -> None:  # noqa: ANN401 - ready for JSON
        loop.call_soon_threadsafe(lines.put_nowait, line)

    def begin(rows: int) -> Callable[[int], None]:
        tell(rows=rows)
        return lambda done: tell(done=done)

    def run() -> None:
        try:
            taken = take(room, into, keep_days, begin, lambda: not gone.is_set())
            tell(**shown(taken))
        except (BackupError, InterruptedClosingError, HeldByAnotherError, EngineError) as error:
            tell(error=str(error))
        except OSError as error:
            tell(error=why_not(error, into))

    work = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        while True:
            line = await lines.get()
            yield line
            if line.keys() & {"backup", "error"}:
                break
    finally:
        gone.set()
        await work


def shown(taken: Taken) -> dict[str, Any]:
    """A taken backup, ready for JSON: `backup`, `rows`, `bytes`, `removed`."""
    return {
        "backup": str(taken.path),
        "rows": taken.rows,
        "bytes": taken.bytes,
        "removed": [str(path) for path in taken.removed],
    }


def why_not(error: OSError, into: Path) -> str:
    """Why a backup could not be written, with the way out that is usual."""
    way_out = "; the user that runs the collector, and its service, must be allowed to write there"
    return f"{error.filename or into}: {error.strerror}{way_out if isinstance(error, PermissionError) else ''}"
