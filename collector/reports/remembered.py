"""Published cells that are asked for once: one answer or page puts many questions, and several need the same cells."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from collector.publish.periods import CLOSED_GRAINS, ONE_DAY, period_of
from collector.publish.released import Cell, Period, Release, Released

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collector.publish.menu import Menu
    from collector.reports.library import Library

# As far back as dates reach in the engine, with room for a month.
_FIRST_DAY = dt.date(1970, 2, 1)

_Range = tuple[dt.date, dt.date, list[Cell]]


class Remembered(Released):
    """What `released` says, asked once each. For the making of one answer or page: it never looks again.

    Cells are read from the period before on, for comparisons, and a narrower range comes out of a wider one. Of one
    period of one product all tables are read together, as a page that shows one of them shows most.
    """

    def __init__(self, released: Released) -> None:
        self._released = released
        self._calendar: list[Period] | None = None
        self._read: dict[tuple[Any, ...], list[_Range]] = {}

    def cells(  # noqa: D102 - see Released
        self,
        measure: str,
        fields: Sequence[str],
        grain: str,
        first: dt.date,
        last: dt.date,
        product: str | None,
    ) -> list[Cell]:
        asked = (measure, tuple(fields), grain, product)
        found = self._found(asked, first, last)
        if found is None:
            before = _period_before(grain, first)
            if product and first == last:
                self._read_tables(measure, grain, before, last, product)
            else:
                cells = self._released.cells(measure, fields, grain, before, last, product)
                self._read.setdefault(asked, []).append((before, last, cells))
            found = self._found(asked, first, last) or []
        return found

    def calendar(self) -> list[Period]:  # noqa: D102 - see Released
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

    def _found(self, asked: tuple[Any, ...], first: dt.date, last: dt.date) -> list[Cell] | None:
        """What is asked for out of what was read; None if that does not reach so far."""
        measure, _, grain, product = asked
        for begin, end, cells in self._read.get(asked, []):
            if begin <= first and last <= end:
                return [cell for cell in cells if first <= cell.period <= last]
        # A table that has no cells of this product is in no answer about all tables.
        whole = any(begin <= first and last <= end for begin, end, _ in self._read.get((measure, grain, product), []))
        return [] if whole else None

    def _read_tables(self, measure: str, grain: str, first: dt.date, last: dt.date, product: str) -> None:
        for fields, cells in self._released.tables(measure, grain, first, last, product).items():
            self._read.setdefault((measure, fields, grain, product), []).append((first, last, cells))
        self._read.setdefault((measure, grain, product), []).append((first, last, []))


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
