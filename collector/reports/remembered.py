"""Published cells that are asked for once: one answer or page puts many questions, and several need the same cells."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from collector.publish.periods import CLOSED_GRAINS, ONE_DAY, period_of
from collector.publish.released import Cell, Release, Released, ReleasedPeriod

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collector.publish.menu import Menu
    from collector.reports.library import Library

# As far back as dates reach in the engine, with room for a month.
_FIRST_DAY = dt.date(1970, 2, 1)


class _Reading(NamedTuple):
    """What was read at once, of one table or (`only` is None) of all; one without cells is not in `tables`."""

    first: dt.date
    last: dt.date
    only: tuple[str, ...] | None
    tables: dict[tuple[str, ...], list[Cell]]

    def holds(self, fields: tuple[str, ...], first: dt.date, last: dt.date) -> bool:
        """Whether all that the table has between `first` and `last` is in it."""
        return self.only in {None, fields} and self.first <= first and last <= self.last


class Remembered(Released):
    """What `released` says, asked once each. For the making of one answer or page: it never looks again.

    Cells are read from the period before on, for comparisons, and a narrower range comes out of a wider one. Of one
    period of one product all tables are read together, as a page that shows one of them shows most.
    """

    def __init__(self, released: Released) -> None:
        self._released = released
        self._calendar: list[ReleasedPeriod] | None = None
        # By measure, grain and product: from when to when was read, and what there is.
        self._read: dict[tuple[str, str, str | None], list[_Reading]] = {}

    def cells(  # noqa: D102 - see Released
        self,
        measure: str,
        fields: Sequence[str],
        grain: str,
        first: dt.date,
        last: dt.date,
        product: str | None,
    ) -> list[Cell]:
        by = tuple(fields)
        readings = self._read.setdefault((measure, grain, product), [])
        reading = next((one for one in readings if one.holds(by, first, last)), None)
        if reading is None:
            before = _period_before(grain, first)
            if product and first == last:
                reading = _Reading(before, last, None, self._released.tables(measure, grain, before, last, product))
            else:
                cells = self._released.cells(measure, fields, grain, before, last, product)
                reading = _Reading(before, last, by, {by: cells})
            readings.append(reading)
        return [cell for cell in reading.tables.get(by, []) if first <= cell.period <= last]

    def calendar(self) -> list[ReleasedPeriod]:  # noqa: D102 - see Released
        if self._calendar is None:
            self._calendar = self._released.calendar()
        return self._calendar

    def menu(self, fingerprint: str) -> Menu | None:  # noqa: D102 - see Released
        return self._released.menu(fingerprint)

    def tables(  # noqa: D102 - see Released
        self, measure: str, grain: str, first: dt.date, last: dt.date, product: str
    ) -> dict[tuple[str, ...], list[Cell]]:
        return self._released.tables(measure, grain, first, last, product)

    def releases(self, most: int) -> list[Release]:  # noqa: D102 - see Released
        return self._released.releases(most)

    def values(self, fields: Sequence[str]) -> dict[str, dict[str, list[str]]]:  # noqa: D102 - see Released
        return self._released.values(fields)

    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:  # noqa: D102
        return self._released.packed(columns, rows, form)

    def state(self) -> str:  # noqa: D102 - see Released
        return self._released.state()


def _period_before(grain: str, first: dt.date) -> dt.date:
    if grain not in CLOSED_GRAINS or first <= _FIRST_DAY:
        return first
    return period_of(first - ONE_DAY, grain).start


def remembering(library: Library) -> Library:
    """The library for the making of one page."""
    return replace(library, released=remembered(library.released))


def remembered(released: Released) -> Remembered:
    """The published cells for the making of one answer, which may be part of a page's."""
    return released if isinstance(released, Remembered) else Remembered(released)
