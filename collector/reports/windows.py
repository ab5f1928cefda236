"""Quarters and years: sums of released months, where every month was released, and never a guess where not.

A cell that one month of the window did not release has no value; it says of how many periods it is known.
The noises of the months are independent, so their errors add up in squares.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from collector.publish.released import Cell

Window = Literal["quarter", "year"]
MONTHS = {"quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Summed:
    """A value over a window.

    Attributes:
        start: the window's first day.
        values: the fields it is broken down by, product first.
        released: in how many of its months the cell was released.
        value: the sum, None unless that is all of them.
        error: half the width of its 95 % interval, None with the value.
    """

    start: dt.date
    values: dict[str, str]
    released: int
    value: int | None
    error: int | None


def window_of(day: dt.date, window: Window) -> dt.date:
    """The first day of the window that `day` lies in."""
    months = MONTHS[window]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def before(start: dt.date, window: Window) -> dt.date:
    """The first day of the window before the one that begins on `start`."""
    return window_of(start - dt.timedelta(days=1), window)


def last_day(start: dt.date, window: Window) -> dt.date:
    """The last day of the window that begins on `start`."""
    month = start.month + MONTHS[window]
    return dt.date(start.year + (month - 1) // 12, (month - 1) % 12 + 1, 1) - dt.timedelta(days=1)


def summed(months: Iterable[Cell], window: Window) -> Iterator[Summed]:
    """Adds up the cells of months, by window and cell; each window's complete ones first, largest first."""
    parts: dict[tuple[dt.date, tuple[tuple[str, str], ...]], list[Cell]] = {}
    for cell in months:
        parts.setdefault((window_of(cell.period, window), tuple(cell.values.items())), []).append(cell)
    found = []
    for (start, values), cells in parts.items():
        whole = len(cells) == MONTHS[window]
        value = sum(cell.value for cell in cells) if whole else None
        error = math.ceil(math.sqrt(sum(cell.error**2 for cell in cells))) if whole else None
        found.append(Summed(start, dict(values), len(cells), value, error))
    yield from sorted(found, key=lambda one: (one.start, -(one.value or -1), -one.released, list(one.values.values())))
