"""Dropping rows whose purpose is fulfilled, and those that the policy permits no longer, used or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from collector.metrics import EXPIRED_REPORTS
from collector.publish.closing import REMEMBERED_DAYS, drop_received
from collector.publish.limits import SO_FAR_KEPT_DAYS
from collector.publish.periods import ONE_DAY, period_of

if TYPE_CHECKING:
    import datetime as dt

    from collector.publish.limits import Limits
    from collector.store.engine import Engine

log = structlog.get_logger()


def expire(
    engine: Engine, today: dt.date, last_closed: dt.date, limits: Limits, *, unused: bool = False
) -> list[dt.date]:
    """Drops the days of `private.counted` that no release needs any more.

    A day goes once its week and month are released (both end before or on `last_closed`), the grace
    after the month's end has passed, and no id of it can be a duplicate of a report still to close.

    Args:
        engine: the connection.
        today: the UTC date.
        last_closed: the last day that is closed.
        limits: how long rows are kept.
        unused: also those that releases still need, once they are as old as the policy permits: these lack them then.
            Not while due days are being closed one after the other, as after downtime.

    Returns:
        The days that were dropped.
    """
    dropped = []
    grace = limits.keep_after_release_days * ONE_DAY
    counted = engine.over_all("private.counted")
    for (day,) in engine.rows(f"SELECT DISTINCT counted_on FROM {counted} ORDER BY counted_on"):
        week, month = period_of(day, "week").last_day, period_of(day, "month").last_day
        is_released = max(week, month) <= last_closed
        is_remembered = day + REMEMBERED_DAYS * ONE_DAY > last_closed
        is_fulfilled = is_released and not is_remembered and month + grace < today
        if is_fulfilled or (unused and (today - day).days >= limits.retention_days):
            if not is_fulfilled:
                log.error("expired_unused", kind="counted", through=day.isoformat())
            for node in engine.nodes:
                node.command(f"ALTER TABLE private.counted DROP PARTITION '{day}'")
            dropped.append(day)
    return dropped


def drop_too_late(engine: Engine, closing: dt.date, limits: Limits) -> int:
    """Before `closing` is closed: drops what would be kept too long if it counted now.

    Returns:
        How many reports were dropped.
    """
    return _drop(engine, closing - limits.late_days * ONE_DAY, "late")


def drop_uncounted(engine: Engine, today: dt.date, limits: Limits) -> int:
    """Drops received rows that are as old as the policy permits, though no day was closed that they could count in.

    Returns:
        How many reports were dropped.
    """
    return _drop(engine, today - (limits.retention_days - 1) * ONE_DAY, "uncounted")


def _drop(engine: Engine, before: dt.date, kind: str) -> int:
    dropped = drop_received(engine, before)
    if dropped:
        EXPIRED_REPORTS.labels(kind).inc(dropped)
        log.error("expired_unused", kind=kind, rows=dropped, through=(before - ONE_DAY).isoformat())
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
