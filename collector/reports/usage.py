"""The question "how much is this used", and its answer from published cells."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.publish.measures import FIELDS, MEASURES
from collector.publish.periods import CLOSED_GRAINS, Grain, period_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector.publish.menu import Menu
    from collector.publish.released import Cell, Released

# One fixed sentence: it must not depend on what is in the data.
ABSENT = "A value that is not listed was reported too rarely to be shown, or not at all."
PER_LICENCE = (
    "A licence counts in at most {n} values of a table, so that no holder stands out; the error does not include this."
)
WHO = "Only machines that may report, and do, are counted; the error says nothing about the others."
REMAINDER = "What is left of a total after the values shown: of it nothing can be said but how much it is."
NOT_A_SUM = "Each number carries noise of its own, so parts do not add up exactly to totals."


_LONGEST_VALUE = 200


class UsageError(Exception):
    """A question that cannot be answered; the text says what can be asked."""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        product: a product's name, or None for all products.
        fields: what to break the count down by; one or two fields of the menu, or none.
        measure: boots, runs or licences; by default the product's own.
        grain: day, week or month; by default the coarsest that is released.
        first: earliest day asked about; by default the latest period's.
        last: latest day asked about.
    """

    product: str | None = None
    fields: tuple[str, ...] = ()
    measure: str | None = None
    grain: str | None = None
    first: dt.date | None = None
    last: dt.date | None = None


def read_question(parameters: Mapping[str, str]) -> Question:
    """The question in the parameters `product`, `by`, `measure`, `grain`, `from` and `to`.

    Raises:
        UsageError: a parameter that does not exist or cannot be read.
    """
    known = {"product", "by", "measure", "grain", "from", "to"}
    if unknown := sorted(parameters.keys() - known):
        raise UsageError(f"no such parameter: {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    if any(len(value) > _LONGEST_VALUE for value in parameters.values()):
        raise UsageError(f"no parameter has more than {_LONGEST_VALUE} characters")
    return Question(
        product=parameters.get("product") or None,
        fields=tuple(f.strip() for f in parameters.get("by", "").split(",") if f.strip()),
        measure=parameters.get("measure") or None,
        grain=parameters.get("grain") or None,
        first=_day("from", parameters.get("from")),
        last=_day("to", parameters.get("to")),
    )


def usage(released: Released, menu: Menu, question: Question, *, simulated: bool) -> dict[str, Any]:
    """The answer, ready for JSON.

    Returns:
        `measure`, `means` (the measure in words), `grain`, `fields`, `periods` (the released ones asked
        about), `incomplete` (those of them that lack days or reports), `cells`: for each cell `period`, the
        fields' values, `value` and `error` (95 %); `remainder`: for each period and product what its total has
        beyond the values shown, with its error (not for licences, which count in several values); `so_far`: of
        the open day, where it is released and no earlier time was asked about, `period`, `hour` (UTC, until
        which it counts) and `cells`, else None; `available`: first and last released period of each grain of
        this table; `notes`; `simulated`: whether the reports were made up.

    Raises:
        UsageError: not on the menu, or nothing is released yet.
    """
    measure = question.measure or ("licences" if question.product == "installbuilder" else "boots")
    fields = _on_menu(menu, measure, question.fields)
    if question.first and question.last and question.first > question.last:
        raise UsageError("'from' is after 'to'")
    offered = [g for g in CLOSED_GRAINS for t in menu.of(g) if (t.measure, t.fields) == (measure, fields)]
    available = {g: periods for g in offered if (periods := released.periods(g))}
    _refuse_grain(f"{measure} by {' and '.join(fields) or 'product'}", question.grain, offered, available)
    grain = next((g for g in available if g == question.grain), None) or _finest_useful(
        released, measure, fields, available, question.product
    )
    periods = available[grain]
    first = period_of(question.first, grain).start if question.first else periods[0]
    if not question.first and not question.last:
        first = periods[-1]
    last = question.last or max(first, periods[-1])
    cells = released.cells(measure, fields, grain, first, last, question.product)
    return {
        "measure": measure,
        "means": MEASURES[measure].means,
        "grain": grain,
        "fields": ["product", *fields],
        "periods": [p.isoformat() for p in periods if first <= p <= last],
        "incomplete": sorted(p.isoformat() for p in released.incomplete(grain) if first <= p <= last),
        "cells": _told(cells),
        "remainder": _remainder(released, measure, fields, grain, first, last, question.product, cells),
        "so_far": _so_far(released, menu, measure, fields, question),
        "available": {g: [p[0].isoformat(), p[-1].isoformat()] for g, p in available.items()},
        "notes": _notes(menu, measure),
        "simulated": simulated,
    }


def _told(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    return [{"period": c.period.isoformat(), **c.values, "value": c.value, "error": c.error} for c in cells]


def _remainder(
    released: Released,
    measure: str,
    fields: tuple[str, ...],
    grain: Grain,
    first: dt.date,
    last: dt.date,
    product: str | None,
    shown: Sequence[Cell],
) -> list[dict[str, Any]]:
    """For each total: what the cells shown leave of it, at least 0, and its error; the noises add up."""
    if not fields or MEASURES[measure].per_licence:
        return []
    found = []
    for total in released.cells(measure, (), grain, first, last, product):
        name = total.values["product"]
        parts = [cell for cell in shown if (cell.period, cell.values["product"]) == (total.period, name)]
        error = math.ceil(math.sqrt(total.error**2 + sum(part.error**2 for part in parts)))
        left = max(0, total.value - sum(part.value for part in parts))
        found.append({"period": total.period.isoformat(), "product": name, "value": left, "error": error})
    return found


def _so_far(
    released: Released, menu: Menu, measure: str, fields: tuple[str, ...], question: Question
) -> dict[str, Any] | None:
    on_menu = any((table.measure, table.fields) == (measure, fields) for table in menu.of("so_far"))
    if not on_menu or question.grain not in {None, "day"} or question.last is not None:
        return None
    latest = released.so_far()
    if latest is None:
        return None
    grain, day = latest
    cells = released.cells(measure, fields, grain, day, day, question.product)
    return {"period": day.isoformat(), "hour": int(grain.removeprefix("so_far_")), "cells": _told(cells)}


def _notes(menu: Menu, measure: str) -> list[str]:
    per_licence = MEASURES[measure].per_licence
    return [WHO, ABSENT, NOT_A_SUM, PER_LICENCE.format(n=menu.cells_per_licence) if per_licence else REMAINDER]


def _day(name: str, text: str | None) -> dt.date | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{name}' is not a date such as 2026-10-31") from None


def _on_menu(menu: Menu, measure: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The fields in the menu's order."""
    if measure not in MEASURES:
        raise UsageError(f"no such measure; there are: {', '.join(MEASURES)}")
    tables = [table.fields for table in menu.tables if table.measure == measure]
    found = next((t for t in tables if sorted(t) == sorted(fields)), None)
    if found is None:
        unknown = [f for f in fields if f not in FIELDS]
        problem = "no such field" if unknown else f"{measure} are not published by {' and '.join(fields)}"
        ways = ", ".join(" with ".join(t) for t in tables if t)
        raise UsageError(f"{problem}; {measure} are published by product alone and by: {ways}")
    return found


def _refuse_grain(
    table: str, asked: str | None, offered: list[Grain], available: Mapping[Grain, list[dt.date]]
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
