"""Deletes what has reached the end of its time, once an hour; and makes and ends peppers.

What is in the store is the publishing collector's to delete, what lies on a machine's disk that machine's. A part
that fails is logged and does not keep the others from being done. Segments are given up as `collector quarantine
drop` does it, so that accepted = loaded + waiting + quarantined + dropped still holds.
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest.pseudonyms import destroy, last_day
from collector.ingest.segment import SEALED, day_of, segments
from collector.metrics import EXPIRED_REPORTS
from collector.reports.access.trail import sweep
from collector.retention import pepper_life
from collector.retention.holdings import changed, temporary
from collector.retention.kinds import TEMPORARY_DAYS
from collector.roles import Role
from collector.store import quarantine
from collector.store.lease import HeldByAnotherError

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.journal import Journal
    from collector.publish.limits import Limits
    from collector.reports.access.ledger import Ledger
    from collector.storeroom import StoreRoom

log = structlog.get_logger()
_LOADS_DAYS = 400


@dataclass(frozen=True)
class Deleting:
    """Keeps one data directory, and the store where it publishes, to the limits.

    Attributes:
        room: the store; nothing else may use the directory.
        ledger: tokens, sessions and audit lines.
        journal: where it is written down.
        limits: what holds now.
    """

    room: StoreRoom
    ledger: Ledger
    journal: Journal
    limits: Limits

    def run(self, today: dt.date, *, with_store: bool = True) -> bool:
        """One pass, also over what is in the store where that can be asked; whether all of it could be done."""
        parts: list[Callable[[dt.date], None]] = [self._ledger, self._files]
        if self.room.role.takes_reports:
            parts += [self._spool, self._quarantine]
        if with_store and self.room.role.publishes:
            parts.append(self._store)
        if with_store and self.room.role.migrates:
            parts.append(self._loads)
        if self.room.role is Role.SERVE and not self.room.is_one_of_several:
            parts.append(self._make_pepper)
        if with_store and self.room.role.takes_reports:
            parts.append(self._destroy_peppers)
        return all([self._do(part, today) for part in parts])  # noqa: C419 - one that fails keeps no other from being done

    def _do(self, part: Callable[[dt.date], None], today: dt.date) -> bool:
        try:
            part(today)
        except HeldByAnotherError:
            return True  # whoever publishes deletes, too
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            kind = part.__name__.strip("_")
            log.error("not_expired", kind=kind, error=type(error).__name__, code=getattr(error, "code", None))
            return False
        return True

    def _ledger(self, today: dt.date) -> None:
        sweep(self.ledger, int(dt.datetime.combine(today, dt.time(tzinfo=dt.UTC)).timestamp()))

    def _files(self, today: dt.date) -> None:
        for path in temporary(self.room.paths):
            if (today - changed(path)).days > TEMPORARY_DAYS:
                path.unlink(missing_ok=True)
                log.info("expired", kind="temporary files")

    def _spool(self, today: dt.date) -> None:
        """Segments that a store was away for so long that the policy permits them no more."""
        for path in list(segments(self.room.paths.spool, SEALED)):
            if (today - day_of(path)).days >= self.limits.retention_days:
                self._note_given_up("spool", quarantine.drop_waiting(path, self.room.paths.quarantine, today))

    def _quarantine(self, today: dt.date) -> None:
        """Segments that could not count any more even if they could be read now."""
        for one in quarantine.set_aside_segments(self.room.paths.quarantine):
            if (today - one.day).days >= self.limits.late_days:
                self._note_given_up("quarantine", quarantine.drop(one.path, today))
        quarantine.forget_given_up(self.room.paths.quarantine, today)

    def _note_given_up(self, place: str, rows: int) -> None:
        EXPIRED_REPORTS.labels(place).inc(rows)
        log.error("expired_unused", kind=place, rows=rows)
        self.journal.note("reports_expired", f"{place}, {rows} reports")

    def _store(self, today: dt.date) -> None:
        self.room.publisher.expire(today)
        for name in pepper_life.fulfilled_in_store(self.room.engine, today, self.limits):
            pepper_life.forget_fingerprint(self.room.engine, name)
            log.info("expired", kind="private.peppers")

    def _loads(self, today: dt.date) -> None:
        engine = self.room.engine
        months = engine.rows("SELECT DISTINCT toYYYYMM(received_on) FROM private.loads")
        for (month,) in months:
            year, number = divmod(int(month), 100)
            last = dt.date(year, number, calendar.monthrange(year, number)[1])
            if (today - last).days > _LOADS_DAYS:
                engine.command(f"ALTER TABLE private.loads DROP PARTITION '{month}'")
                log.info("expired", kind="private.loads")

    def _make_pepper(self, today: dt.date) -> None:
        if pepper_life.make_ahead(self.room.paths.secrets, today):
            log.info("pepper_made_ahead", quarter=pepper_life.next_quarter(today))
            self.journal.note("pepper_made", pepper_life.next_quarter(today))

    def _destroy_peppers(self, today: dt.date) -> None:
        room = self.room
        for one in pepper_life.lives(room.paths, today, self.limits, room.engine, room.role):
            if one.may_go and last_day(one.quarter) < today and destroy(room.paths.secrets, one.quarter):
                log.info("pepper_destroyed", quarter=one.quarter)
                self.journal.note("pepper_destroyed", one.quarter)
