"""Closes and releases every period that is due, in order, and expires what is no longer needed."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from collector.publish import closing
from collector.publish.expiry import drop_too_late, drop_uncounted, expire, forget_so_far
from collector.publish.periods import ONE_DAY, SO_FAR_HOURS, Period, days, ending_on
from collector.publish.release import Rules, drop_unfinished, is_begun, is_released, release, withhold
from collector.store.lease import HeldByAnotherError

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.publish.limits import Limits
    from collector.store.engine import Engine
    from collector.store.lease import Lease

log = structlog.get_logger()
# Later than this after its hour, a count so far would stand for another time than it says.
SO_FAR_WITHIN = dt.timedelta(minutes=30)


class NotOverError(Exception):
    """A day may be closed only after it has ended."""

    def __init__(self, through: dt.date, today: dt.date) -> None:
        super().__init__(f"{through} is not over yet: the last day that can be closed is {today - ONE_DAY}")


@dataclass(frozen=True)
class Publisher:
    """Publishes from one engine.

    Attributes:
        engine: a connection of the publisher's own.
        rules: the tables and their protection.
        lease: the right to publish.
        limits: how long rows are kept.
        has_loaded_past: the watermark rule: whether no spool holds a row of a day or before.
        new_secret: makes a release secret.
        note: writes down what was done, for the audit trail: an event, and what it was about.
    """

    engine: Engine
    rules: Rules
    lease: Lease
    limits: Limits
    has_loaded_past: Callable[[dt.date], bool]
    new_secret: Callable[[], bytes] = lambda: secrets.token_bytes(32)
    note: Callable[[str, str], None] = lambda _event, _about: None

    @property
    def protection(self) -> str:
        """Profile and menu, as they are written down with each release."""
        return f"profile {self.rules.profile}, menu {self.rules.menu.fingerprint}"

    def last_protection(self) -> str | None:
        """Profile and menu of the last release, or None before the first."""
        rows = self.engine.rows("SELECT profile, menu FROM public.releases ORDER BY period DESC, grain LIMIT 1")
        return f"profile {rows[0][0]}, menu {rows[0][1]}" if rows else None

    def due(self, through: dt.date) -> list[dt.date]:
        """The days up to `through` that are not closed, oldest first; none before the first report."""
        return due_days(self.engine, through)

    def publish(
        self, today: dt.date, through: dt.date, done: Callable[[dt.date], None] = lambda _: None
    ) -> list[Period]:
        """Closes every due day up to `through` and releases it with the weeks and months that end on it.

        Args:
            today: the current UTC date.
            through: the last day to close, before `today`.
            done: called after each closed day.

        Returns:
            The periods that were released, in order.

        Raises:
            NotOverError: `through` has not ended.
            HeldByAnotherError: another installation publishes from this store.
            EngineError: the engine failed; running again goes on where this stopped.
        """
        if through >= today:
            raise NotOverError(through, today)
        self.lease.hold()
        self._finish_earlier_tries()
        self._note_protection()
        released: list[Period] = []
        for day in self.due(through):
            complete = self.has_loaded_past(day)
            # The day's own release comes last: it is what says that everything ending on the day is out.
            ending = (*ending_on(day), Period("day", day))
            # Taken up again after a kill: once anything is drawn, its input stays as it was and later rows wait.
            if not any(is_begun(self.engine, period) for period in ending):
                drop_too_late(self.engine, day, self.limits)
                closing.close_day(self.engine, day, partial(self._still, day))
            for period in ending:
                self._release(period, today, complete=complete and self._is_complete(period))
                released.append(period)
            closing.forget_claim(self.engine, day)
            log.info("day_closed", day=day.isoformat(), complete=complete)
            done(day)
        if last := last_closed(self.engine):
            expire(self.engine, today, last, self.limits)
            forget_so_far(self.engine, last)
        return released

    def expire(self, today: dt.date) -> None:
        """Drops what is not to be kept any longer, whether or not days could be closed lately.

        Raises:
            HeldByAnotherError: another installation publishes from this store, and expires its rows.
            EngineError: the engine failed.
        """
        self.lease.hold()
        drop_uncounted(self.engine, today, self.limits)
        last = last_closed(self.engine)
        expire(self.engine, today, last or dt.date.min, self.limits, unused=True)
        if last:
            forget_so_far(self.engine, last)

    def withhold(self, now: dt.datetime, through: dt.date) -> list[Period]:
        """Closes every due day up to `through` and publishes nothing of it, nor of the open day until now.

        For a store that is back from a backup: what was published since then is lost, and publishing it again, with
        other noise, would tell more than once. The days' reports still count in weeks and months that end later.

        Returns:
            The periods without cells, in order.

        Raises:
            As `publish`.
        """
        today = now.date()
        if through >= today:
            raise NotOverError(through, today)
        self.lease.hold()
        self._finish_earlier_tries()
        withheld: list[Period] = []
        for day in self.due(through):
            closing.close_day(self.engine, day, partial(self._still, day))
            for period in (*ending_on(day), Period("day", day)):
                withhold(self.engine, self.rules, period, today=today)
                self.note("period_withheld", str(period))
                withheld.append(period)
            closing.forget_claim(self.engine, day)
        for hour in SO_FAR_HOURS:
            if hour <= now.hour and last_closed(self.engine):
                withheld.append(Period("so_far", today, hour))
                withhold(self.engine, self.rules, withheld[-1], today=today)
                self.note("period_withheld", str(withheld[-1]))
        return withheld

    def due_so_far(self, now: dt.datetime) -> Period | None:
        """The release of the open day that falls due at `now` (UTC), if it is neither out nor too late for it.

        None while a day before it is open: a report that was sent again after midnight would be in the open day
        so far as well as in its own.
        """
        if due_days(self.engine, now.date() - ONE_DAY):
            return None
        for hour in SO_FAR_HOURS:
            since = now - now.replace(hour=hour, minute=0, second=0, microsecond=0)
            period = Period("so_far", now.date(), hour)
            if dt.timedelta() <= since < SO_FAR_WITHIN and not is_released(self.engine, period):
                return period
        return None

    def publish_so_far(self, period: Period) -> None:
        """Releases the open day so far; call it while nothing waits in the spool.

        Raises:
            HeldByAnotherError: another installation publishes from this store.
            EngineError: the engine failed.
        """
        self.lease.hold()
        self._finish_earlier_tries()
        counting = closing.count_open_day(self.engine, period.start)
        self._release(period, period.start, complete=False, rows=counting)
        closing.drop_counting(self.engine)
        log.info("so_far_released", day=period.start.isoformat(), hour=period.hour)

    def _release(self, period: Period, today: dt.date, *, complete: bool, rows: str | None = None) -> None:
        release(
            self.engine,
            self.rules,
            period,
            secret=self.new_secret(),
            today=today,
            complete=complete,
            rows=rows or self.engine.over_all("private.counted"),
            still=self.lease.hold,
        )
        self.note("period_released", str(period))

    def _note_protection(self) -> None:
        before = self.last_protection()
        if before not in {None, self.protection}:
            self.note("protection_changed", f"from {before} to {self.protection}")

    def _still(self, day: dt.date) -> None:
        """Raises unless this publisher may go on closing `day`."""
        self.lease.hold()
        if is_released(self.engine, Period("day", day)):
            raise HeldByAnotherError(self.lease.right)

    def _is_complete(self, period: Period) -> bool:
        """Whether the days of `period` that are closed so far were closed complete."""
        late = self.engine.rows(
            "SELECT 1 FROM public.releases WHERE grain = 'day' AND NOT complete "
            "AND period BETWEEN {first:Date} AND {last:Date} LIMIT 1",
            first=period.start,
            last=period.last_day,
        )
        return not late

    def _finish_earlier_tries(self) -> None:
        """Clears what a kill left behind: tries that did not end, and claims of days that are out."""
        last = last_closed(self.engine)
        drop_unfinished(self.engine, last)
        closing.drop_counting(self.engine)
        for day in closing.claimed_days(self.engine):
            if last and day <= last:
                closing.give_back(self.engine, day)


def last_closed(engine: Engine) -> dt.date | None:
    """The last day that is closed; a day's own release is the last of those that end on it."""
    rows = engine.rows("SELECT max(period), count() FROM public.releases WHERE grain = 'day'")
    return rows[0][0] if rows[0][1] else None


def due_days(engine: Engine, through: dt.date) -> list[dt.date]:
    """The days up to `through` that are not closed, oldest first; none before the first report."""
    last = last_closed(engine)
    received = [] if last else [*closing.claimed_days(engine), *closing.open_days(engine)]
    first = last + ONE_DAY if last else min(received, default=None)
    return list(days(first, through)) if first else []
