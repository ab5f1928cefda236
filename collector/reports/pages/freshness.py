"""How fresh the published counts are, and when newer ones come. Pure."""

from __future__ import annotations

import datetime as dt

_LATE_AFTER = dt.timedelta(hours=1)


def freshness(through: dt.date | None, now: dt.datetime, after_minutes: int) -> str:
    """One sentence.

    Args:
        through: the last day that is closed; None if there is none.
        now: UTC.
        after_minutes: how long after midnight UTC a day is closed.
    """
    if through is None:
        return f"Nothing is released yet; the first day closes about {at(now.date(), after_minutes)}."
    due = _closes(through + dt.timedelta(days=1), after_minutes)
    if now > due + _LATE_AFTER:
        return f"Data through {through}; the next release was due {due:%Y-%m-%d %H:%M} UTC and waits for late reports."
    return f"Data through {through}; next release about {due:%Y-%m-%d %H:%M} UTC."


def at(day: dt.date, after_minutes: int) -> str:
    """When a day is closed, in words."""
    return f"{_closes(day, after_minutes):%Y-%m-%d %H:%M} UTC"


def _closes(day: dt.date, after_minutes: int) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(tzinfo=dt.UTC)) + dt.timedelta(days=1, minutes=after_minutes)
