"""Products side by side: the latest total of each, how it changed, and the course of the last periods. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from collector.reports.charts.words import period_name, periods, with_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

SORTS = ("product", "value", "change")
_MOVERS = 5
_WIDTH, _HEIGHT, _PAD = 120, 30, 2

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Of a value against the period before.

    Attributes:
        by: the difference.
        error: its 95 % error.
        share: the difference as a part of the value before.
    """

    by: int
    error: int
    share: float

    @property
    def is_clear(self) -> bool:
        """Whether it is larger than its error."""
        return abs(self.by) > self.error


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The course of a total, as points of an SVG; a gap where a period is not shown, hollow where it is incomplete."""

    lines: tuple[str, ...]
    bands: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    hollow: tuple[tuple[float, float], ...]
    words: str
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True, slots=True)
class Row:
    """A product."""

    name: str
    title: str
    measure: str
    when: str
    value: int | None
    error: int | None
    change: Change | None
    sparkline: Sparkline | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of one measure by one grain.

    Attributes:
        measure: which.
        grain: of the periods.
        periods: those that are released, oldest first.
        courses: product -> period -> value and error.
        incomplete: periods that lack days or reports: nothing is compared with them.
    """

    measure: str
    grain: str
    periods: tuple[str, ...]
    courses: dict[str, dict[str, tuple[int, int]]]
    incomplete: frozenset[str] = frozenset()


def totals(answer: Told) -> Totals:
    """From an answer of `usage` for all products."""
    courses: dict[str, dict[str, tuple[int, int]]] = {}
    for cell in answer["cells"]:
        courses.setdefault(cell["product"], {})[cell["period"]] = (cell["value"], cell["error"])
    return Totals(
        answer["measure"], answer["grain"], tuple(answer["periods"]), courses, frozenset(answer["incomplete"])
    )


def rows(titles: Mapping[str, str], measures: Mapping[str, str], found: Sequence[Totals]) -> list[Row]:
    """One row for each product of the catalogue, and for each other one of which something was published.

    Args:
        titles: product -> title.
        measures: product -> what is usually counted of it.
        found: the totals of each measure.
    """
    by_measure = {one.measure: one for one in found}
    published = {name: one.measure for one in found for name in one.courses}
    names = [*titles, *sorted(published.keys() - titles.keys())]
    return [
        _row(name, titles.get(name, name), by_measure.get(measures.get(name) or published.get(name, "")))
        for name in names
    ]


def matching(found: Iterable[Row], searched: str) -> list[Row]:
    """The rows whose name or title holds what is searched."""
    wanted = searched.casefold().strip()
    return [row for row in found if wanted in row.name or wanted in row.title.casefold()]


def ordered(found: Iterable[Row], sort: str) -> list[Row]:
    """By one of SORTS, descending with a minus before it; what has no value comes last."""
    column = sort.removeprefix("-")
    descending = sort.startswith("-")

    def key(row: Row) -> float | str | None:
        if column == "product":
            return row.title.casefold()
        if column == "value":
            return row.value
        return row.change.share if row.change else None

    by_title = sorted(found, key=lambda row: row.title.casefold())
    known = sorted((row for row in by_title if key(row) is not None), key=key, reverse=descending)  # type: ignore[arg-type]
    return known + [row for row in by_title if key(row) is None]


def movers(found: Iterable[Row], direction: Literal["up", "down"]) -> list[Row]:
    """The products whose change is clear, the largest first."""
    sign = 1 if direction == "up" else -1
    moved = [row for row in found if row.change and row.change.is_clear and row.change.by * sign > 0]
    return sorted(moved, key=lambda row: -abs(row.change.share) if row.change else 0)[:_MOVERS]


def change(now: tuple[int, int] | None, before: tuple[int, int] | None) -> Change | None:
    """How a value changed; None where one of the two is not shown."""
    if now is None or before is None or before[0] <= 0:
        return None
    difference = now[0] - before[0]
    return Change(difference, math.ceil(math.hypot(now[1], before[1])), difference / before[0])


def sparkline(
    starts: Sequence[str], course: Mapping[str, tuple[int, int]], grain: str, incomplete: Collection[str] = ()
) -> Sparkline | None:
    """The course of a total, from zero up to its largest value; None where there is nothing to show."""
    if not course or len(starts) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    top = max(value + error for value, error in course.values())
    step = (_WIDTH - 2 * _PAD) / (len(starts) - 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _PAD - (_HEIGHT - 2 * _PAD) * max(0, value) / top, 1)

    runs: list[list[tuple[float, int, int]]] = [[]]
    for n, start in enumerate(starts):
        x = round(_PAD + n * step, 1)
        if start in course and start not in incomplete:
            runs[-1].append((x, *course[start]))
        elif runs[-1]:
            runs.append([])
    runs = [run for run in runs if run]
    lines = [" ".join(f"{x},{y(value)}" for x, value, _ in run) for run in runs if len(run) > 1]
    bands = [
        " ".join(
            [f"{x},{y(v + e)}" for x, v, e in run] + [f"{x},{y(v - e)}" for x, v, e in reversed(run)],
        )
        for run in runs
        if len(run) > 1
    ]
    dots = [(run[0][0], y(run[0][1])) for run in runs[:-1] if len(run) == 1]
    dots += [(run[-1][0], y(run[-1][1])) for run in runs[-1:]]
    hollow = [
        (round(_PAD + n * step, 1), y(course[start][0]))
        for n, start in enumerate(starts)
        if start in course and start in incomplete
    ]
    shown = [start for start in starts if start in course]
    shown = [start for start in shown if start not in incomplete] or shown
    first, last = course[shown[0]], course[shown[-1]]
    said = f"{periods(grain, len(shown))}, from {with_error(*first)} to {with_error(*last)}"
    return Sparkline(tuple(lines), tuple(bands), tuple(dots), tuple(hollow), said)


def _row(name: str, title: str, of: Totals | None) -> Row:
    course = of.courses.get(name, {}) if of else {}
    latest = of.periods[-1] if of and of.periods else ""
    before = of.periods[-2] if of and len(of.periods) > 1 else ""
    now = course.get(latest)
    return Row(
        name,
        title,
        of.measure if of else "",
        period_name(of.grain, latest) if of and latest else "",
        now[0] if now else None,
        now[1] if now else None,
        None if of and of.incomplete & {latest, before} else change(now, course.get(before)),
        sparkline(of.periods, course, of.grain, of.incomplete) if of else None,
    )
