"""The numbers of a chart, from answers of the library. Pure.

A share is a value's part of its product's total in the same period. Both are published, each with noise of its
own, so the error of v / t is sqrt(e_v^2 + (v / t * e_t)^2) / t.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from collector.reports.charts.words import NOT_SHOWN, OTHERS, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_SERIES = 7
MOST_BARS = 12
MOST_ROWS, MOST_COLUMNS = 14, 8
# So many of the lines are what is used most now; the others are what was used most at its height.
_BY_LATEST = 5

Kind = Literal["shown", "others", "rest"]
Told = dict[str, Any]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Count:
    """A value, or several added up, with the error of that."""

    value: int
    error: int

    def part_of(self, whole: Count | None) -> Share | None:
        """Its share of `whole`; None where there is no whole."""
        if whole is None or whole.value <= 0:
            return None
        share = self.value / whole.value
        return Share(share, math.hypot(self.error, share * whole.error) / whole.value)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, 1 for all of it, and half the width of its 95 % interval."""

    share: float
    error: float


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its counts by period, and the shares where the periods' totals are known."""

    name: str
    kind: Kind
    counts: Mapping[str, Count]
    shares: Mapping[str, Share]

    def latest(self, period: str) -> int:
        """Its value in a period; 0 where it is not shown."""
        return self.counts[period].value if period in self.counts else 0

    @property
    def height(self) -> int:
        """Its largest value."""
        return max(count.value for count in self.counts.values())


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    name: str
    kind: Kind
    count: Count
    share: Share | None


@dataclass(frozen=True, slots=True)
class Grid:
    """Two fields crossed: the largest rows and columns, and how many more there are."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: Mapping[tuple[str, str], Count]
    more_rows: int
    more_columns: int


def added(counts: Iterable[Count]) -> Count:
    """Several counts as one; their noises are independent, so their errors add up in squares."""
    held = list(counts)
    return Count(sum(count.value for count in held), math.ceil(math.hypot(*(count.error for count in held))))


def totals_of(answer: Told) -> dict[str, Count]:
    """Period -> the product's total, of an answer that is broken down by nothing."""
    return {cell["period"]: _count(cell) for cell in answer["cells"] if cell["value"] is not None}


def total(answer: Told, name: str) -> list[Series]:
    """The one line of a product's totals; none where nothing is shown."""
    counts = totals_of(answer)
    return [Series(name, "shown", counts, {})] if counts else []


def lines(answer: Told, totals: Mapping[str, Count], field: str) -> list[Series]:
    """The lines of a field's values over time: the largest, the other shown ones together, and what is not shown."""
    cells = [(label(cell[field]), cell["period"], _count(cell)) for cell in _known(answer)]
    by_name: dict[str, dict[str, Count]] = defaultdict(dict)
    for (name, period), count in _together(((name, period), count) for name, period, count in cells).items():
        by_name[name][period] = count
    every = [Series(name, "shown", counts, _shares(counts, totals)) for name, counts in by_name.items()]
    latest = max((period for counts in by_name.values() for period in counts), default="")
    by_height = sorted(every, key=lambda one: (-one.height, one.name))
    now = sorted((s for s in every if latest in s.counts), key=lambda one: (-one.latest(latest), one.name))
    chosen = now[:_BY_LATEST]
    chosen += [s for s in by_height if s not in chosen][: MOST_SERIES - len(chosen)]
    chosen.sort(key=lambda one: (-one.latest(latest), -one.height, one.name))
    others = _together(item for one in every if one not in chosen for item in one.counts.items())
    rest = {one["period"]: _count(one) for one in answer["remainder"]}
    if others:
        chosen.append(Series(OTHERS, "others", others, _shares(others, totals)))
    if rest and every:
        chosen.append(Series(NOT_SHOWN, "rest", rest, _shares(rest, totals)))
    return chosen


def bars(answer: Told, totals: Mapping[str, Count], field: str) -> list[Bar]:
    """The bars of an answer of one period, largest first; the other shown values and what is not shown at the end."""
    by_name = _together((label(cell[field]), _count(cell)) for cell in _known(answer))
    if not by_name:
        return []
    whole = next(iter(totals.values()), None)
    ranked = sorted(by_name.items(), key=lambda item: (-item[1].value, item[0]))
    found = [Bar(name, "shown", count, count.part_of(whole)) for name, count in ranked[:MOST_BARS]]
    if others := [count for _, count in ranked[MOST_BARS:]]:
        count = added(others)
        found.append(Bar(OTHERS, "others", count, count.part_of(whole)))
    rest = [_count(one) for one in answer["remainder"]]
    return found + [Bar(NOT_SHOWN, "rest", count, count.part_of(whole)) for count in rest]


def grid(answer: Told, down: str, across: str) -> Grid:
    """An answer of one period by two fields."""
    counts = _together(((label(cell[down]), label(cell[across])), _count(cell)) for cell in _known(answer))
    rows = _ranked((row, count) for (row, _), count in counts.items())
    columns = _ranked((column, count) for (_, column), count in counts.items())
    return Grid(
        tuple(rows[:MOST_ROWS]),
        tuple(columns[:MOST_COLUMNS]),
        counts,
        max(0, len(rows) - MOST_ROWS),
        max(0, len(columns) - MOST_COLUMNS),
    )


def _ranked(found: Iterable[tuple[str, Count]]) -> list[str]:
    sums: dict[str, int] = defaultdict(int)
    for name, count in found:
        sums[name] += count.value
    return sorted(sums, key=lambda name: (-sums[name], name))


def _known(answer: Told) -> Sequence[Told]:
    return [cell for cell in answer["cells"] if cell["value"] is not None]


def _together(found: Iterable[tuple[Key, Count]]) -> dict[Key, Count]:
    """One count for each key; several values may have one name: those that an administrator hid."""
    held: dict[Key, list[Count]] = {}
    for key, count in found:
        held.setdefault(key, []).append(count)
    return {key: added(counts) for key, counts in held.items()}


def _count(cell: Told) -> Count:
    return Count(cell["value"], cell["error"])


def _shares(counts: Mapping[str, Count], totals: Mapping[str, Count]) -> dict[str, Share]:
    found = {period: count.part_of(totals.get(period)) for period, count in counts.items()}
    return {period: share for period, share in found.items() if share is not None}
