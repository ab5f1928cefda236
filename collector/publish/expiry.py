"""Dropping rows whose purpose is fulfilled."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from collector.publish.closing import REMEMBERED_DAYS
from collector.publish.periods import ONE_DAY, period_of

if TYPE_CHECKING:
    from collector.store.engine import Engine

SO_FAR_KEPT_DAYS = 7


def expire(engine: Engine, today: dt.date, last_closed: dt.date, keep_after_release_days: int) -> list[dt.date]:
    """Drops the days of `private.counted` that no release needs any more.

    A day goes once its week and month are released (both end before or on `last_closed`), the grace
    after the month's end has passed, and no id of it can be a duplicate of a report still to close.

    Returns:
        The days that were dropped.
    """
    dropped = []
    grace = dt.timedelta(days=keep_after_release_days)
    counted = engine.over_all("private.counted")
    for (day,) in engine.rows(f"SELECT DISTINCT counted_on FROM {counted} ORDER BY counted_on"):
        week, month = period_of(day, "week").last_day, period_of(day, "month").last_day
        is_released = max(week, month) <= last_closed
        is_remembered = day + REMEMBERED_DAYS * ONE_DAY > last_closed
        if is_released and not is_remembered and month + grace < today:
            for node in engine.nodes:
                node.command(f"ALTER TABLE private.counted DROP PARTITION '{day}'")
            dropped.append(day)
    return dropped


def forget_so_far(engine: Engine, last_closed: dt.date) -> list[dt.date]:
    """Drops what was released of open days that have been closed for a week; that they were stays written down.

    Returns:
        The days whose releases were dropped.
    """
    found = engine.rows(
        "SELECT DISTINCT grain, period FROM public.cells WHERE startsWith(grain, 'so_far_') AND period < {before:Date}",
        before=last_closed - SO_FAR_KEPT_DAYS * ONE_DAY,
    )
    for grain, period in found:
        engine.command(f"ALTER TABLE public.cells DROP PARTITION '{grain} {period}'")
    return sorted({period for _, period in found})
