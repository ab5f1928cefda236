"""Published cells that are asked for once: a page puts many questions, and several need the same cells."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from collector.publish.periods import CLOSED_GRAINS, ONE_DAY, period_of
from collector.publish.released import Cell, Release, Released

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from collector.publish.menu import Menu
    from collector.reports.library import Library

# As far back as dates reach in the engine, with room for a month.
_FIRST_DAY = dt.date(1970, 2, 1)


class Remembered(Released):
    """What `released` says, asked once each. For the making of one page: it never looks again.

    Cells are read from the period before on, for comparisons, and a narrower range comes out of a wider one.
    """

    def __init__(self, released: Released) -> None:
        self._released = released
        self._said: dict[tuple[Any, ...], Any] = {}
        self._read: dict[tuple[Any, ...], list[tuple[dt.date, dt.date, list[Cell]]]] = {}

    def cells(  # noqa: D102 - see Released
        self,
        measure: str,
        fields: Sequence[str],
        grain: str,
        first: dt.date,
        last: dt.date,
        product: str | None,
    ) -> list[Cell]:
        ranges = self._read.setdefault((measure, tuple(fields), grain, product), [])
        for begin, end, cells in ranges:
            if begin <= first and last <= end:
                return [cell for cell in cells if first <= cell.period <= last]
        before = _period_before(grain, first)
        cells = self._released.cells(measure, fields, grain, before, last, product)
        ranges.append((before, last, cells))
        return [cell for cell in cells if cell.period >= first]

    def closed(self, grain: str) -> list[tuple[dt.date, str]]:  # noqa: D102 - see Released
        found: list[tuple[dt.date, str]] = self._once(("closed", grain), lambda: self._released.closed(grain))
        return found

    def menu(self, fingerprint: str) -> Menu | None:  # noqa: D102 - see Released
        return self._released.menu(fingerprint)

    def incomplete(self, grain: str) -> set[dt.date]:  # noqa: D102 - see Released
        found: set[dt.date] = self._once(("incomplete", grain), lambda: self._released.incomplete(grain))
        return found

    def so_far(self) -> tuple[str, dt.date] | None:  # noqa: D102 - see Released
        found: tuple[str, dt.date] | None = self._once(("so_far",), self._released.so_far)
        return found

    def releases(self, most: int) -> list[Release]:  # noqa: D102 - see Released
        return self._released.releases(most)

    def values(self, fields: Sequence[str]) -> dict[str, dict[str, list[str]]]:  # noqa: D102 - see Released
        return self._released.values(fields)

    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:  # noqa: D102
        return self._released.packed(columns, rows, form)

    def state(self) -> str:  # noqa: D102 - see Released
        return self._released.state()

    def _once(self, asked: tuple[Any, ...], ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - as it was said
        if asked not in self._said:
            self._said[asked] = ask()
        return self._said[asked]


def _period_before(grain: str, first: dt.date) -> dt.date:
    if grain not in CLOSED_GRAINS or first <= _FIRST_DAY:
        return first
    return period_of(first - ONE_DAY, grain).start


def remembering(library: Library) -> Library:
    """The library for the making of one page."""
    return replace(library, released=Remembered(library.released))
