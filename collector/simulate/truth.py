"""The exact counts of a simulated fleet, to compare published ones with. For tests: real data has no such thing."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from collector.publish.measures import MEASURES
from collector.publish.periods import CLOSED_GRAINS, Grain, period_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from collector.publish.menu import Menu, Table

_COLUMNS = (
    "product",
    "product_version",
    "source",
    "os_version",
    "instance_type",
    "language",
    "key",
    "version_line",
)


class Truth:
    """Counts what was really sent, once each, in the tables of a menu."""

    def __init__(self, menu: Menu, version_line: Callable[[str, str], str]) -> None:
        self._menu = menu
        self._version_line = version_line
        self._reports: dict[tuple[str, dt.date], list[tuple[str, ...]]] = defaultdict(list)

    def add(self, day: dt.date, fields: tuple[str, ...]) -> None:
        """Counts one report; `fields` as in `Traffic.on`."""
        self._reports[_measure(fields), day].append((*fields, self._version_line(fields[0], fields[1])))

    def write(self, path: Path) -> None:
        """Writes all counts as JSON: grain, period, measure, breakdown, the fields and `value`."""
        cells = [cell for table in self._menu.tables for cell in self._cells(table)]
        path.write_text(json.dumps({"cells": cells}) + "\n", encoding="utf-8")

    def _cells(self, table: Table) -> Iterator[dict[str, Any]]:
        count = _licences if MEASURES[table.measure].per_licence else _reports
        # Always a tuple, even of one field: itemgetter gives a bare value for one.
        cell_of: Callable[[tuple[str, ...]], tuple[str, ...]] = itemgetter(
            *map(_COLUMNS.index, ("product", *table.fields, "product"))
        )
        counts: dict[tuple[Grain, dt.date], Counter[tuple[str, ...]]] = defaultdict(Counter)
        for grain in set(table.grains) & set(CLOSED_GRAINS):
            days: dict[dt.date, list[tuple[str, ...]]] = defaultdict(list)
            for (measure, day), reports in self._reports.items():
                if measure == table.measure:
                    days[period_of(day, grain).start] += reports
            for start, reports in days.items():
                counts[grain, start] = count(reports, cell_of)
        for (grain, start), values in counts.items():
            kind = {
                "grain": grain,
                "period": start.isoformat(),
                "measure": table.measure,
                "breakdown": table.breakdown,
            }
            for cell, n in values.items():
                yield {**kind, **dict(zip(("product", *table.fields), cell, strict=False)), "value": n}


def _reports(
    reports: list[tuple[str, ...]], cell_of: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> Counter[tuple[str, ...]]:
    return Counter(map(cell_of, reports))


def _licences(
    reports: list[tuple[str, ...]], cell_of: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> Counter[tuple[str, ...]]:
    key = _COLUMNS.index("key")
    distinct = {(report[key], cell_of(report)) for report in reports}
    return Counter(cell for _, cell in distinct)


def _measure(fields: tuple[str, ...]) -> str:
    if fields[0] != "installbuilder":
        return "boots"
    return "licences" if fields[-1] else "runs"
