"""General usage trends for third parties: coarse numbers from answers of the reports room, as rows and as files.

Invariants, which `trends_page` relies on:

- only months, which are published as such; a cell below FEWEST is left out, whatever it is, and so are hidden
  values and products that are not in the catalogue; what is left out leaves no zero;
- of a count only its two leading digits go on, of a share the whole percent; no order and no bar is made from
  anything finer;
- the same answers give the same bytes: nothing says when or by which program they were made.

The files:

    index.json               the names and fields of the others, the rules, what may be done with it (Data Package)
    trends.csv, trends.json  a row for each number; columns as in COLUMNS
    index.html, style.css, products/<name>.html   the same for people, see `trends_page`
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from collector.publish.measures import MEASURES
from collector.reports.formats import plain
from collector.reports.hiding import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FEWEST = 100
FIELDS = ("", "version_line", "product_version", "os_version", "instance_type", "language")
"""What products are broken down by; the empty one is their total."""

PACKAGE = "product-telemetry-trends"
PLACEHOLDER = "To be stated by whoever publishes these files."
_EARLIEST = "2000-01-01"
# A product's name becomes a file's: nothing else passes, wherever the catalogue came from.
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

RULES = (
    "Only whole months that are released. A month that lacks days or reports is marked as incomplete.",
    f"Only numbers of {FEWEST} or more. What is not listed was reported less, or not at all.",
    "Counts are rounded to two digits. The exact count lies within the number beside it 19 times out of 20.",
    "Shares are of the product's total in that month, in whole percent. Parts do not add up exactly to totals.",
    "Only machines that may report, and do, are counted: use shares and trends, not sizes.",
)
COLUMNS = {
    "product": ("string", "The product's name."),
    "measure": ("string", "What is counted: boots, runs or licences."),
    "field": ("string", "What the product is broken down by; empty for its total."),
    "value": ("string", "The value of that field; empty where it was not reported, and for totals."),
    "month": ("yearmonth", "The month."),
    "about": ("integer", "The count, rounded to two digits."),
    "within": ("integer", "The exact count lies this close to `about` 19 times out of 20."),
    "share_percent": ("integer", "Share of the product's total in that month; empty where there is none."),
    "complete": ("boolean", "Whether all days and reports of the month are in it."),
}


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One number that goes out; see COLUMNS."""

    product: str
    measure: str
    field: str
    month: str
    value: str
    about: int
    within: int
    share_percent: int | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Trends:
    """All that goes out.

    Attributes:
        rows: the numbers, in order.
        months: the released months, oldest first, as `2026-10`.
        titles: the titles of the products that have a row, by name.
        simulated: whether the reports were made up.
    """

    rows: tuple[Row, ...]
    months: tuple[str, ...]
    titles: dict[str, str]
    simulated: bool


@dataclass(frozen=True, slots=True)
class Note:
    """What stands beside the numbers.

    Attributes:
        licence: what others may do with the files.
        policy: title, url and clause of the privacy policy under which they go out.
    """

    licence: str
    policy: dict[str, str]


def questions(*, with_licences: bool) -> list[dict[str, str]]:
    """What to ask the reports room; each is to be asked once, and some of it is not on its menu."""
    measures = [name for name, measure in MEASURES.items() if with_licences or not measure.per_licence]
    usual = {"grain": "month", "from": _EARLIEST}
    return [usual | {"measure": measure} | ({"by": by} if by else {}) for measure in measures for by in FIELDS]


def trends(answers: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> Trends:
    """What goes out of these answers.

    Args:
        answers: to `questions`, those that there are.
        titles: the products of the catalogue, by name.
    """
    answers = list(answers)
    totals = {
        (cell["product"], answer["measure"], cell["period"]): cell["value"]
        for answer in answers
        if len(answer["fields"]) == 1
        for cell in answer["cells"]
    }
    rows = sorted(row for answer in answers for row in _rows(answer, titles, totals))
    return Trends(
        tuple(rows),
        tuple(sorted({period[:7] for answer in answers for period in answer["periods"]})),
        {name: titles[name] for name in sorted({row.product for row in rows})},
        simulated=any(answer["simulated"] for answer in answers),
    )


def _rows(
    answer: Mapping[str, Any], titles: Mapping[str, str], totals: Mapping[tuple[str, str, str], int]
) -> Iterator[Row]:
    field = answer["fields"][1] if len(answer["fields"]) > 1 else ""
    incomplete = set(answer["incomplete"])
    for cell in answer["cells"]:
        product, value = cell["product"], cell.get(field, "")
        if cell["value"] < FEWEST or value == HIDDEN or product not in titles or not _NAME.fullmatch(product):
            continue
        total = totals.get((product, answer["measure"], cell["period"]), 0)
        yield Row(
            product,
            answer["measure"],
            field,
            cell["period"][:7],
            value,
            about(cell["value"]),
            within(cell["value"], cell["error"]),
            share(cell["value"], total) if field and total >= FEWEST else None,
            cell["period"] not in incomplete,
        )


def about(value: int) -> int:
    """A count rounded to its two leading digits, halves up."""
    step = _step(value)
    return (value + step // 2) // step * step


def within(value: int, error: int) -> int:
    """How far the exact count may be from `about`: the error of the noise and what rounding adds at the most."""
    return error + _step(value) // 2


def share(value: int, total: int) -> int:
    """A share in whole percent, halves up; noise does not take it above 100."""
    return min(100, (200 * value + total) // (2 * total))


def _step(value: int) -> int:
    return int(10 ** max(0, len(str(value)) - 2))


def data_files(told: Trends) -> dict[str, bytes]:
    """The rows as CSV and as JSON, by path."""
    names = list(COLUMNS)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    rows = [{name: value for name, value in asdict(row).items() if value is not None} for row in told.rows]
    writer.writerows([[plain(row.get(name, "")) for name in names] for row in rows])
    return {"trends.csv": text.getvalue().encode(), "trends.json": _json({"rows": rows})}


def index(told: Trends, note: Note, files: Mapping[str, bytes]) -> bytes:
    """index.json: what the other files are."""
    schema = {"fields": [{"name": n, "type": kind, "description": says} for n, (kind, says) in COLUMNS.items()]}
    measures = sorted({row.measure for row in told.rows})
    return _json(
        {
            "profile": "data-package",
            "name": PACKAGE,
            "title": "General usage trends",
            "description": "How much products are used, by version, system, instance type and language.",
            "licenses": [{"title": note.licence}],
            "policy": note.policy,
            "rules": list(RULES),
            "simulated": told.simulated,
            "months": list(told.months),
            "measures": {measure: MEASURES[measure].means for measure in measures},
            "products": told.titles,
            "resources": [
                {
                    "name": "trends",
                    "path": "trends.csv",
                    "format": "csv",
                    "mediatype": "text/csv",
                    "encoding": "utf-8",
                    "schema": schema,
                },
                {"name": "trends-json", "path": "trends.json", "format": "json", "mediatype": "application/json"},
            ],
            "files": {path: f"sha256:{hashlib.sha256(files[path]).hexdigest()}" for path in sorted(files)},
        }
    )


def of_product(rows: Iterable[Row], product: str, measure: str, field: str) -> list[Row]:
    """The rows of one table of a product, the oldest month first."""
    return [row for row in rows if (row.product, row.measure, row.field) == (product, measure, field)]


def by_month(rows: Iterable[Row], months: Sequence[str]) -> list[Row | None]:
    """A row for each month, of rows that have one at the most; None where there is none."""
    found = {row.month: row for row in rows}
    return [found.get(month) for month in months]


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
