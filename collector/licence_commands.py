"""What a running collector does when it is asked about a licence or a withdrawn field, on the control socket alone.

The pseudonyms come in the body, which nothing logs; the key itself stays with the command that read it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from collector.configuration import accepted
from collector.forgetting import forget, repeat
from collector.purging import NotWithdrawnError, purge, sources_of
from collector.store.erasing import OldPartsError
from collector.store.lease import HeldByAnotherError
from collector.subject_report import held
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.forgetting import Receipt
    from collector.purging import Purged
    from collector.storeroom import StoreRoom

log = structlog.get_logger()
_REPEAT_EVERY = dt.timedelta(hours=1)
_NOT_HERE = "this collector may not change the store: ask where `collector serve` runs, or as the database's owner"


class Repeating:
    """Goes on with pending requests at the start, where a backup may have been put back, and then once an hour.

    Args:
        room: the store.
    """

    def __init__(self, room: StoreRoom) -> None:
        self._room = room
        self._next: dt.datetime | None = None

    def is_due(self, now: dt.datetime) -> bool:
        """Whether it is time, at `now` (UTC), and this collector's to do."""
        return self._room.role.migrates and (self._next is None or now >= self._next)

    def go_on(self, now: dt.datetime) -> None:
        """Repeats what is pending at `now` (UTC); a failure is logged, and tried again in an hour.

        No day may be closed, no backup taken and no segment retried in this process meanwhile.
        """
        self._next = now + _REPEAT_EVERY
        try:
            repeat(self._room, now.date())
        except (OSError, ValueError) as error:
            log.error("not_forgotten", error=type(error).__name__)


def routes(room: StoreRoom, publishing: asyncio.Lock, quarantine: asyncio.Lock) -> list[web.RouteDef]:
    """The routes, for the store process.

    Args:
        room: the store.
        publishing: held by whoever closes days or takes a backup.
        quarantine: held by whoever changes what is in quarantine.
    """
    asked = _Asked(room, publishing, quarantine)
    return [
        web.post("/forget", asked.forget),
        web.post("/forget/pending", asked.go_on),
        web.post("/subject-report", asked.report),
        web.post("/policy/purge", asked.purge),
    ]


class _Asked:
    """Answers, each by what the collector's role allows."""

    def __init__(self, room: StoreRoom, publishing: asyncio.Lock, quarantine: asyncio.Lock) -> None:
        self._room = room
        self._publishing, self._quarantine = publishing, quarantine

    async def forget(self, request: web.Request) -> web.Response:
        room, asked = self._room, await request.json()
        if not (room.role.migrates or room.role.takes_reports):
            return _refused(409, _NOT_HERE)
        return await self._alone(lambda: shown(forget(room, asked["pseudonyms"], _today(), asked["kept_days"])))

    async def go_on(self, _: web.Request) -> web.Response:
        room = self._room
        if not room.role.migrates:
            return _refused(409, _NOT_HERE)
        return await self._alone(lambda: {"receipts": [shown(one) for one in repeat(room, _today())]})

    async def report(self, request: web.Request) -> web.Response:
        if not self._room.role.publishes:
            return _refused(409, _NOT_HERE)
        asked = await request.json()
        # While a day is closed, its rows are in two tables or in none that is looked at.
        async with self._quarantine, self._publishing:
            found = await asyncio.to_thread(held, self._room, asked["pseudonyms"])
        return web.json_response({"held": [one._asdict() for one in found]})

    async def purge(self, request: web.Request) -> web.Response:
        room, field = self._room, request.query.get("field", "")
        if not room.role.migrates:
            return _refused(409, _NOT_HERE)
        try:
            # What the workers go by, not what the policy's file says since: else they would store the field again.
            sources = sources_of(accepted(room.paths).policy, field)
        except (NotWithdrawnError, ConfigurationError) as error:
            return _refused(409, str(error))
        return await self._alone(lambda: shown_purge(purge(room, field, sources, _today())))

    async def _alone(self, work: Callable[[], dict[str, Any]]) -> web.Response:
        async with self._quarantine, self._publishing:
            try:
                return web.json_response(await asyncio.to_thread(work))
            except OSError as error:
                return _refused(500, f"a file could not be written: {error.strerror}; repeat it")
            except (HeldByAnotherError, OldPartsError) as error:
                return _refused(409, f"{error}; repeat it")


def shown(receipt: Receipt) -> dict[str, Any]:
    """A receipt, ready for JSON."""
    return {
        "request": receipt.request,
        "asked_on": receipt.asked_on.isoformat(),
        "state": "pending" if receipt.pending else "done",
        "removed": dict(receipt.removed),
        "pending": list(receipt.pending),
        "backups_until": receipt.backups_until.isoformat(),
        "detached": receipt.detached,
        "whole": receipt.whole,
        "missing": list(receipt.missing),
        "moved": list(receipt.moved),
    }


def shown_purge(purged: Purged) -> dict[str, Any]:
    """What was purged, ready for JSON."""
    return {
        "request": purged.request,
        "sources": list(purged.sources),
        "rows": dict(purged.rows),
        "unreadable": purged.unreadable,
        "pending": list(purged.pending),
    }


def _refused(status: int, because: str) -> web.Response:
    return web.json_response({"error": because}, status=status)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
