"""When the publishing collector closes days, releases the open one so far, and deletes what is too old.

What is closed, released and deleted is decided in the rooms; here is the time for it: after the spools have loaded past
a day, never by a clock that was just moved, one thing at a time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from collector.configuration import accepted, limits_of
from collector.licence_commands import Repeating
from collector.loading import facts
from collector.local_commands import last_due
from collector.metrics import PUBLISH_FAILURES, STANDS_BY
from collector.publish.publisher import last_closed
from collector.recurring import pause
from collector.retention.deleting import Deleting
from collector.steadiness import TRUSTED_AGAIN_AFTER_SECONDS, Steadiness, seconds_since_boot
from collector.store.lease import HeldByAnotherError

if TYPE_CHECKING:
    from collector.journal import Journal
    from collector.reports.access.ledger import Ledger
    from collector.settings import Settings
    from collector.storeroom import StoreRoom

log = structlog.get_logger()
_PUBLISH_EVERY_SECONDS = 60
_PUBLISH_EVERY_SECONDS_BEHIND = 5
# Days that are due after a start are closed first, if nothing keeps them from it.
_DELETE_FIRST_AFTER_SECONDS = 120
_DELETE_EVERY_SECONDS = 3600


@dataclass(frozen=True)
class Publishing:
    """The loops of one store process.

    Attributes:
        room: the store.
        stop: set when the process is asked to stop.
        opening: done once the store is ready.
        alone: held by whoever closes, releases, deletes or takes a backup.
        quarantine: held by whoever changes what is in quarantine; taken before `alone`.
    """

    room: StoreRoom
    stop: asyncio.Event
    opening: asyncio.Task[None]
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    quarantine: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def publish(self) -> None:
        """Publishes what is due; a failure is logged and tried again."""
        await asyncio.wait([self.opening])
        room, clock, repeating = self.room, Steadiness(), Repeating(self.room)
        stands_by = False
        while not self.stop.is_set():
            now = dt.datetime.now(dt.UTC)
            if not clock.is_steady(now.timestamp(), seconds_since_boot()):
                PUBLISH_FAILURES.inc()
                log.error("clock_jumped", closing_waits_seconds=TRUSTED_AGAIN_AFTER_SECONDS)
                await pause(self.stop, _PUBLISH_EVERY_SECONDS)
                continue
            # Looked at before the spool is judged: what is loaded in between is soon out, too.
            is_behind = room.loader.is_behind
            try:
                # First what was to be forgotten: nothing of it is counted any more.
                if repeating.is_due(now):
                    # Rows that a retry has in hand would be loaded after they were erased.
                    async with self.quarantine, self.alone:
                        await asyncio.to_thread(repeating.go_on, now)
                async with self.alone:
                    through = last_due(now, room.settings.publish_after_minutes)
                    await asyncio.to_thread(publish_closable, room, now, through)
                    await asyncio.to_thread(publish_so_far, room, now)
                stands_by = False
            except HeldByAnotherError:
                if not stands_by:
                    log.info("publishing_stands_by")
                stands_by = True
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                PUBLISH_FAILURES.inc()
                log.error("publish_failed", **facts(error))
                await pause(self.stop, _PUBLISH_EVERY_SECONDS)
                continue
            STANDS_BY.set(stands_by)
            # After days of downtime the spool comes first, and what it made ready is soon out.
            await pause(self.stop, _PUBLISH_EVERY_SECONDS_BEHIND if is_behind else _PUBLISH_EVERY_SECONDS)

    async def delete(self, ledger: Ledger, journal: Journal) -> None:
        """Deletes what is too old, now and then; never by a clock that was just moved."""
        room, clock = self.room, Steadiness()
        await pause(self.stop, _DELETE_FIRST_AFTER_SECONDS)
        while not self.stop.is_set():
            now = dt.datetime.now(dt.UTC)
            if not clock.is_steady(now.timestamp(), seconds_since_boot()):
                await pause(self.stop, _PUBLISH_EVERY_SECONDS)
                continue
            # After an outage what waits is loaded and closed first: it may be needed, and its age is judged then.
            is_behind = not self.opening.done() or (room.role.takes_reports and room.loader.is_behind)
            try:
                async with self.quarantine, self.alone:
                    limits = limits_of(room.settings, accepted(room.paths).policy)
                    deleting = Deleting(room, ledger, journal, limits)
                    await asyncio.to_thread(deleting.run, now.date(), with_store=not is_behind)
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                log.error("not_expired", kind="limits", **facts(error))
            await pause(self.stop, _PUBLISH_EVERY_SECONDS if is_behind else _DELETE_EVERY_SECONDS)


def closable_through(settings: Settings, now: dt.datetime, through: dt.date, room: StoreRoom) -> dt.date | None:
    """The last day up to `through` that may be closed at `now`, or None.

    A day may be closed once every spool has loaded past it, or once it has waited long enough; not by
    waiting alone while this machine's own spool is being caught up with.
    """
    patience = dt.timedelta(hours=settings.publish_at_the_latest_after_hours)
    last = None
    for day in room.publisher.due(through):
        ended = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(tzinfo=dt.UTC))
        if not room.publisher.has_loaded_past(day) and (room.loader.is_behind or now < ended + patience):
            break
        last = day
    return last


def publish_closable(room: StoreRoom, now: dt.datetime, through: dt.date) -> list[str]:
    """Publishes what may be published at `now` of the days up to `through`; the periods that are out."""
    last = last_closed(room.publisher.engine)
    if last is not None and last >= now.date():
        # Days are closed once: with a clock that was ahead, reports of those days wait until it has passed.
        PUBLISH_FAILURES.inc()
        log.error("closed_days_lie_ahead", last_closed=last.isoformat())
        return []
    closable = closable_through(room.settings, now, through, room)
    if closable is None:
        return []
    return [str(period) for period in room.publisher.publish(now.date(), closable)]


def publish_so_far(room: StoreRoom, now: dt.datetime) -> None:
    """Releases the open day so far, once what came until now is loaded."""
    period = room.publisher.due_so_far(now)
    if period is not None and not room.loader.is_behind:
        room.publisher.publish_so_far(period)
