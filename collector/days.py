"""Which day was closed last, and how many are due, as gauges: days go on falling due while the store is away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from collector.local_commands import last_due
from collector.metrics import DAYS_DUE, LAST_CLOSED_DAY
from collector.publish.publisher import due_days, last_closed
from collector.store.engine import EngineError

if TYPE_CHECKING:
    from collector.store.engine import Engine


class Days:
    """The days of one store.

    Args:
        engine: where they are closed.
        publish_after_minutes: when a day should be.
    """

    def __init__(self, engine: Engine, publish_after_minutes: int) -> None:
        self._engine = engine
        self._publish_after_minutes = publish_after_minutes
        self._last: dt.date | None = None

    def look(self, now: dt.datetime) -> None:
        """Sets the gauges as of `now` (UTC); of a store that does not answer, by what it said before. Blocking."""
        through = last_due(now, self._publish_after_minutes)
        try:
            self._last = last_closed(self._engine)
            due = len(due_days(self._engine, through))
        except EngineError:  # the log has store_unreachable
            if self._last is None:
                return
            due = max(0, (through - self._last).days)
        DAYS_DUE.set(due)
        if self._last is not None:
            LAST_CLOSED_DAY.set(dt.datetime.combine(self._last, dt.time(tzinfo=dt.UTC)).timestamp())
