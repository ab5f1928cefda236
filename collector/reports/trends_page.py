"""Usage trends as pages: plain HTML, one style sheet, bars as SVG rectangles; no script, and nothing from elsewhere.

Made from `Trends` alone, so that nothing finer than its rounded numbers is in any file, not even in a bar's length
or in the order of a table. Every text is escaped by the template engine.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from collector.publish.measures import MEASURES
from collector.reports.trends import FIELDS, RULES, by_month, data_files, index, of_product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.reports.trends import Note, Row, Trends

TEMPLATES = Path(__file__).parent / "trends_templates"
_NAMES = {
    "version_line": "Version lines",
    "product_version": "Versions",
    "os_version": "Operating systems",
    "instance_type": "Instance types",
    "language": "Languages",
}
_BAR_WIDTH = 160
_SMALL, _LARGE = (8, 24), (36, 120)
_MOST_ROWS = 25


@dataclass(frozen=True, slots=True)
class Column:
    """A bar of a chart over months, in units of the drawing; `says` is read aloud and shown beside the pointer."""

    x: int
    y: int
    width: int
    height: int
    says: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over months, the oldest to the left; a month without a number has none."""

    width: int
    height: int
    columns: list[Column]
    says: str


def site(told: Trends, note: Note, done: Callable[[int], None] = lambda _: None) -> dict[str, bytes]:
    """All files by path, index.json included.

    Args:
        told: what goes out.
        note: what stands beside it.
        done: called with 1 for each product that is written.
    """
    shared = {"rules": RULES, "note": note, "simulated": told.simulated, "months": told.months, "grouped": _grouped}
    files = data_files(told)
    files["style.css"] = (TEMPLATES / "style.css").read_bytes()
    for name, title in told.titles.items():
        # A search through all rows for each product would take the longer the more there are.
        own = [row for row in told.rows if row.product == name]
        page = _template("product.html").render(shared, title=title, root="../", parts=_parts(own, name, told.months))
        files[f"products/{name}.html"] = page.encode()
        done(1)
    page = _template("index.html").render(shared, title="General usage trends", root="", tables=_tables(told))
    files["index.html"] = page.encode()
    files["index.json"] = index(told, note, files)
    return files


def _tables(told: Trends) -> list[dict[str, Any]]:
    """For each measure its products, the most used first."""
    tables = []
    for measure in [name for name in MEASURES if any(row.measure == name for row in told.rows)]:
        products: list[dict[str, Any]] = []
        for name, title in told.titles.items():
            rows = of_product(told.rows, name, measure, "")
            if rows:
                months = by_month(rows, told.months)
                products.append({"name": name, "title": title, "last": months[-1], "chart": _chart(months, _SMALL)})
        products.sort(key=lambda one: (-(one["last"].about if one["last"] else 0), one["name"]))
        tables.append({"measure": measure, "means": MEASURES[measure].means, "products": products})
    return tables


def _parts(rows: Sequence[Row], product: str, months: Sequence[str]) -> list[dict[str, Any]]:
    """For each measure of a product its months and its breakdowns."""
    parts = []
    for measure in [name for name in MEASURES if any(row.measure == name for row in rows)]:
        totals = by_month(of_product(rows, product, measure, ""), months)
        breakdowns = [_breakdown(of_product(rows, product, measure, field), field, months) for field in FIELDS if field]
        parts.append(
            {
                "measure": measure,
                "means": MEASURES[measure].means,
                "chart": _chart(totals, _LARGE),
                "totals": [row for row in reversed(totals) if row],
                "breakdowns": [one for one in breakdowns if one],
            }
        )
    return parts


def _breakdown(rows: Sequence[Row], field: str, months: Sequence[str]) -> dict[str, Any] | None:
    """The latest month of one table, the largest first, each value with its months; None if it has none."""
    latest = sorted((row for row in rows if row.month == months[-1]), key=lambda row: (-row.about, row.value))
    if not latest:
        return None
    of_value: dict[str, list[Row]] = {}
    for row in rows:
        of_value.setdefault(row.value, []).append(row)
    shown = [
        {
            "row": row,
            "bar": max(1, _BAR_WIDTH * row.about // latest[0].about),
            "chart": _chart(by_month(of_value[row.value], months), _SMALL),
        }
        for row in latest[:_MOST_ROWS]
    ]
    return {"name": _NAMES[field], "month": months[-1], "shown": shown, "more": len(latest) - len(shown)}


def _chart(rows: Sequence[Row | None], size: tuple[int, int]) -> Chart:
    step, height = size
    largest = max((row.about for row in rows if row), default=1)
    columns = [
        Column(
            x=step * position,
            y=height - (tall := max(1, height * row.about // largest)),
            width=step - max(1, step // 6),
            height=tall,
            says=f"{month_name(row.month)}{'' if row.complete else ', incomplete'}: about {_grouped(row.about)}",
            complete=row.complete,
        )
        for position, row in enumerate(rows)
        if row
    ]
    return Chart(step * len(rows), height, columns, "; ".join(column.says for column in columns))


def month_name(month: str) -> str:
    """`October 2026` of `2026-10`, in English on every machine."""
    day = dt.date.fromisoformat(f"{month}-01")
    return f"{_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _grouped(number: int) -> str:
    return f"{number:,}"


@cache
def _template(name: str) -> Any:  # noqa: ANN401 - the library's own type renders anything
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["month_name"] = month_name
    return environment.get_template(name)
