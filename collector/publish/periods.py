"""Days, ISO weeks and months, in UTC: where each begins and ends, and which are complete."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

Grain = Literal["day", "week", "month"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One day, week or month."""

    grain: Grain
    start: dt.date

    @property
    def last_day(self) -> dt.date:
        """The last day in it."""
        match self.grain:
            case "day":
                return self.start
            case "week":
                return self.start + 6 * ONE_DAY
            case "month":
                return self.start.replace(day=calendar.monthrange(self.start.year, self.start.month)[1])

    def __str__(self) -> str:
        return f"{self.grain} {self.start.isoformat()}"


def period_of(day: dt.date, grain: Grain) -> Period:
    """The period that `day` lies in."""
    match grain:
        case "day":
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
