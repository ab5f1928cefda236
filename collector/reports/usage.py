"""The question "how much is this used", and its answer from published cells."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from collector.publish.measures import FIELDS, MEASURES
from collector.publish.periods import CLOSED_GRAINS, ONE_DAY, Grain, period_of
from collector.reports.question import UsageError
from collector.reports.windows import MONTHS, Window, before, last_day, summed, window_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collector.publish.menu import Menu
    from collector.publish.released import Cell, Released
    from collector.reports.question import Question

# One fixed sentence: it must not depend on what is in the data.
ABSENT = "A value that is not listed was reported too rarely to be shown, or not at all."
PER_LICENCE = (
    "A licence counts in at most {n} values of a table, so that no holder stands out; the error does not include this. "
    "Shares may add up to more than 100 %."
)
WHO = "Only machines that may report, and do, are counted; the error says nothing about the others."
REMAINDER = "What is left of a total after the values shown: of it nothing can be said but how much it is."
NOT_A_SUM = "Each number carries noise of its own, so parts do not add up exactly to totals."
CHANGE = "A change is given where both periods are shown and complete."
WINDOW = "A {window} is the sum of its months where each of them was released; otherwise there is no value."

Told = dict[str, Any]


def usage(released: Released, menu: Menu, question: Question, *, simulated: bool) -> Told:
    """The answer, ready for JSON.

    Returns:
        What `collector.reports.answers.UsageAnswer` describes.

    Raises:
        UsageError: not on the menu, or nothing is released yet.
    """
    measure = question.measure or ("licences" if question.product == "installbuilder" else "boots")
    fields = _on_menu(menu, measure, question.by)
    offered = [g for g in CLOSED_GRAINS for t in menu.of(g) if (t.measure, t.fields) == (measure, fields)]
    available = {g: periods for g in offered if (periods := released.periods(g, measure, fields))}
    window = cast("Window", question.grain) if question.grain in MONTHS else None
    _refuse_window(measure, window)
    asked = "month" if window else question.grain
    _refuse_grain(f"{measure} by {' and '.join(fields) or 'product'}", asked, offered, available)
    grain = next((g for g in available if g == asked), None) or _finest_useful(
        released, measure, fields, available, question.product
    )
    table = _Table(released, measure, fields, grain, window, question.product)
    periods = table.starts(available[grain])
    first, last = _range(question, table, periods)
    periods_asked = [p for p in periods if first <= p <= last]
    asked_about = {p.isoformat() for p in periods_asked}
    read = table.cells(table.before(first) if question.compare else first, last)
    # Cells are there a moment before their period is.
    cells = [cell for cell in read if cell["period"] in asked_about]
    incomplete = {p.isoformat() for p in table.incomplete(available[grain])}
    answer: Told = {
        "measure": measure,
        "means": MEASURES[measure].means,
        "grain": window or grain,
        "fields": ["product", *fields],
        "periods": sorted(asked_about),
        "incomplete": sorted(incomplete & asked_about),
        "cells": cells,
        "remainder": _remainder(table, cells, first, last),
        "so_far": None if window else _so_far(released, menu, measure, fields, question),
        "available": {g: [p[0].isoformat(), p[-1].isoformat()] for g, p in available.items()},
        "notes": [*_notes(menu, measure, window), *([CHANGE] if question.compare else [])],
        "simulated": simulated,
    }
    if question.compare:
        _compare(answer, table, read, incomplete)
    if question.top:
        answer["cells"] = _largest(answer["cells"], question.top)
        if answer["so_far"]:
            answer["so_far"]["cells"] = _largest(answer["so_far"]["cells"], question.top)
    return answer


class _Table:
    """One published table of one grain, or its months summed to windows."""

    def __init__(
        self,
        released: Released,
        measure: str,
        fields: tuple[str, ...],
        grain: Grain,
        window: Window | None,
        product: str | None,
    ) -> None:
        self._released, self._grain, self._product = released, grain, product
        self.measure, self.fields, self.window = measure, fields, window

    def start(self, day: dt.date) -> dt.date:
        """The first day of the period that `day` lies in."""
        return window_of(day, self.window) if self.window else period_of(day, self._grain).start

    def before(self, start: dt.date) -> dt.date:
        """The first day of the period before the one that begins on `start`."""
        return before(start, self.window) if self.window else period_of(start - ONE_DAY, self._grain).start

    def starts(self, released: Sequence[dt.date]) -> list[dt.date]:
        """The first days of periods of which something is released, oldest first."""
        return sorted({self.start(day) for day in released})

    def incomplete(self, released: Sequence[dt.date]) -> set[dt.date]:
        """The first days of periods that lack days or reports, or of a window whose months are not all released."""
        lacking = {self.start(day) for day in self._released.incomplete(self._grain)}
        if self.window is None:
            return lacking
        months = Counter(map(self.start, released))
        return lacking | {start for start, n in months.items() if n < MONTHS[self.window]}

    def cells(self, first: dt.date, last: dt.date) -> list[Told]:
        """The values of the periods that begin between `first` and `last`, largest first in each."""
        return self._told(self.fields, first, last)

    def totals(self, first: dt.date, last: dt.date) -> list[Told]:
        """The products' totals of the same periods."""
        return self._told((), first, last)

    def _told(self, fields: tuple[str, ...], first: dt.date, last: dt.date) -> list[Told]:
        if self.window is None:
            return told(self._cells(fields, first, last))
        whole = MONTHS[self.window]
        found = summed(self._cells(fields, first, last_day(self.start(last), self.window)), self.window)
        return [
            {"period": one.start.isoformat(), **one.values, "value": one.value, "error": one.error}
            | {"released_months": one.released, "months": whole}
            for one in found
        ]

    def _cells(self, fields: tuple[str, ...], first: dt.date, last: dt.date) -> list[Cell]:
        return self._released.cells(self.measure, fields, self._grain, first, last, self._product)


def told(cells: Iterable[Cell]) -> list[Told]:
    """Cells, ready for JSON."""
    return [{"period": c.period.isoformat(), **c.values, "value": c.value, "error": c.error} for c in cells]


def _range(question: Question, table: _Table, periods: Sequence[dt.date]) -> tuple[dt.date, dt.date]:
    """From the latest period that was not asked to be left out, to the last one asked for."""
    last = question.last or max(periods[-1], table.start(question.first or periods[-1]))
    if question.first:
        return table.start(question.first), last
    return max((p for p in periods if p <= last), default=last), last


def _largest(cells: Iterable[Told], top: int) -> list[Told]:
    """The first so many of each period."""
    return [cell for _, of in groupby(cells, key=lambda cell: str(cell["period"])) for cell in list(of)[:top]]


def _compare(answer: Told, table: _Table, read: Sequence[Told], incomplete: set[str]) -> None:
    """Gives each value that of the period before, and the change with its error.

    None where either is not shown, and no change where either period lacks days or reports.
    """
    fields = answer["fields"]
    earlier = {(cell["period"], *(cell[field] for field in fields)): cell for cell in read}
    periods = {cell["period"] for cell in answer["cells"]}
    before_of = {period: table.before(dt.date.fromisoformat(period)).isoformat() for period in periods}
    for cell in answer["cells"]:
        previous = earlier.get((before_of[cell["period"]], *(cell[field] for field in fields)), {})
        was, now = previous.get("value"), cell["value"]
        whole = not incomplete & {cell["period"], before_of[cell["period"]]}
        known = was is not None and now is not None and whole
        cell["previous"] = was
        cell["change"] = now - was if known else None
        cell["change_error"] = math.ceil(math.hypot(cell["error"], previous["error"])) if known else None


def _remainder(table: _Table, shown: Sequence[Told], first: dt.date, last: dt.date) -> list[Told]:
    """For each total: what the cells shown leave of it, at least 0, and its error; the noises add up."""
    if not table.fields or MEASURES[table.measure].per_licence or table.window:
        return []
    parts: dict[tuple[str, str], list[Told]] = {}
    for cell in shown:
        parts.setdefault((cell["period"], cell["product"]), []).append(cell)
    found = []
    for total in table.totals(first, last):
        of_it = parts.get((total["period"], total["product"]), [])
        error = math.ceil(math.sqrt(total["error"] ** 2 + sum(part["error"] ** 2 for part in of_it)))
        left = max(0, total["value"] - sum(part["value"] for part in of_it))
        found.append({"period": total["period"], "product": total["product"], "value": left, "error": error})
    return found


def _so_far(released: Released, menu: Menu, measure: str, fields: tuple[str, ...], question: Question) -> Told | None:
    on_menu = any((table.measure, table.fields) == (measure, fields) for table in menu.of("so_far"))
    if not on_menu or question.grain not in {None, "day"} or question.last is not None:
        return None
    latest = released.so_far()
    if latest is None:
        return None
    grain, day = latest
    cells = released.cells(measure, fields, grain, day, day, question.product)
    return {"period": day.isoformat(), "hour": int(grain.removeprefix("so_far_")), "cells": told(cells)}


def _notes(menu: Menu, measure: str, window: Window | None) -> list[str]:
    notes = [WHO, ABSENT, NOT_A_SUM]
    if window:
        return [*notes, WINDOW.format(window=window)]
    per_licence = MEASURES[measure].per_licence
    return [*notes, PER_LICENCE.format(n=menu.cells_per_licence) if per_licence else REMAINDER]


def _on_menu(menu: Menu, measure: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The fields in the menu's order."""
    tables = [table.fields for table in menu.tables if table.measure == measure]
    found = next((t for t in tables if sorted(t) == sorted(fields)), None)
    if found is None:
        unknown = [f for f in fields if f not in FIELDS]
        problem = "no such field" if unknown else f"{measure} are not published by {' and '.join(fields)}"
        ways = ", ".join(" with ".join(t) for t in tables if t)
        raise UsageError(f"{problem}; {measure} are published by product alone and by: {ways}")
    return found


def _refuse_window(measure: str, window: Window | None) -> None:
    if window and MEASURES[measure].per_licence:
        raise UsageError(f"{measure} are distinct in a month and cannot be summed to a {window}; ask by month")


def _refuse_grain(
    table: str, asked: str | None, offered: Sequence[Grain], available: Mapping[Grain, list[dt.date]]
) -> None:
    """Raises UsageError unless `asked` (None: any) can be answered, saying what can."""
    if asked and asked not in offered:
        raise UsageError(f"{table} is published by {' and '.join(offered)} only")
    if not available:
        raise UsageError(f"nothing is released yet: {table} appears once a {offered[0]} has ended and is closed")
    if asked and asked not in available:
        raise UsageError(f"no {asked} has been released yet; ask by {' or '.join(available)}")


def _finest_useful(
    released: Released,
    measure: str,
    fields: tuple[str, ...],
    available: Mapping[Grain, list[dt.date]],
    product: str | None,
) -> Grain:
    """The finest grain whose latest cells show at least half of the total; the coarsest if none does."""
    for grain, periods in available.items():
        total, shown = (
            sum(cell.value for cell in released.cells(measure, by, grain, periods[-1], periods[-1], product))
            for by in ((), fields)
        )
        if 0 < total <= 2 * shown:
            return grain
    return list(available)[-1]
