"""Days, ISO weeks and months, in UTC: where each begins and ends, and which are complete; and the open day so far."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

Grain = Literal["so_far", "day", "week", "month"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
"""Finest first."""
CLOSED_GRAINS: tuple[Grain, ...] = tuple(grain for grain in GRAINS if grain != "so_far")
SO_FAR_HOURS = (6, 12, 18)
"""When the open day is released so far, UTC."""
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One day, week or month, or a day until an hour.

    Attributes:
        grain: which of them.
        start: its first day.
        hour: the hour of its last day until which it counts; 24 but for the open day so far.
    """

    grain: Grain
    start: dt.date
    hour: int = 24

    @property
    def key(self) -> str:
        """Its grain as it stands in the tables: `day`, `week`, `month`, or `so_far_06`."""
        return f"so_far_{self.hour:02}" if self.grain == "so_far" else self.grain

    @property
    def last_day(self) -> dt.date:
        """The last day in it."""
        match self.grain:
            case "so_far" | "day":
                return self.start
            case "week":
                return self.start + 6 * ONE_DAY
            case "month":
                return self.start.replace(day=calendar.monthrange(self.start.year, self.start.month)[1])

    def __str__(self) -> str:
        if self.grain == "so_far":
            return f"{self.start.isoformat()} until {self.hour:02}:00 UTC"
        return f"{self.grain} {self.start.isoformat()}"


def period_of(day: dt.date, grain: Grain) -> Period:
    """The closed period that `day` lies in; of the day so far, its day."""
    match grain:
        case "so_far" | "day":
            return Period("day", day)
        case "week":
            return Period("week", day - day.weekday() * ONE_DAY)
        case "month":
            return Period("month", day.replace(day=1))


def ending_on(day: dt.date) -> Iterator[Period]:
    """The week and the month whose last day is `day`."""
    for grain in ("week", "month"):
        period = period_of(day, grain)
        if period.last_day == day:
            yield period


def days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """Every day from `first` to `last`, both included."""
    for n in range((last - first).days + 1):
        yield first + n * ONE_DAY
