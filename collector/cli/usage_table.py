"""Published counts as a person reads them: a title, a table for each period, bars where there is room.

With several periods, a summary ends it: each value as a line over them.
"""

from __future__ import annotations

import datetime as dt
import io
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from collector.cli.marks import Marks, marks_of
from collector.cli.usage_summary import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_REPORTED = "(not reported)"
_NOT_SHOWN = "(not shown)"
_BAR_WIDTH = 24
# A bar needs this much beside the numbers; in a narrower terminal they go without.
_BARS_FROM_WIDTH = 78
# A change takes its room from the bars.
_BARS_BESIDE_CHANGES_FROM_WIDTH = 100
_PIPED_WIDTH = 120
_MONTHS = {"quarter": 3, "year": 12}

Cell = dict[str, Any]


def show(answer: dict[str, Any], product: str | None, top: int) -> None:
    """Prints an answer of `collector.reports.usage` on standard output."""
    encoding = sys.stdout.encoding or "ascii"
    if sys.stdout.isatty():
        _print(Console(highlight=False, markup=False), marks_of(encoding), answer, product, top)
    else:
        sys.stdout.write(as_text(answer, product, top, encoding))


def as_text(answer: dict[str, Any], product: str | None, top: int, encoding: str) -> str:
    """The same for a file or a pipe: no colours, no spaces at a line's end."""
    text = io.StringIO()
    console = Console(file=text, width=_PIPED_WIDTH, no_color=True, highlight=False, markup=False)
    _print(console, marks_of(encoding), answer, product, top)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def period_name(grain: str, start: str) -> str:
    """A period in words: `2026-10-31`, `week from Monday 2026-10-26`, `October 2026`, `2026 Q4`, `2026`."""
    day = dt.date.fromisoformat(start)
    if grain == "quarter":
        return f"{day.year} Q{(day.month + 2) // 3}"
    names = {"week": f"week from Monday {start}", "month": f"{day:%B %Y}", "year": str(day.year)}
    return names.get(grain, start)


def _print(console: Console, marks: Marks, answer: dict[str, Any], product: str | None, top: int) -> None:
    by = " and ".join(field.replace("_", " ") for field in answer["fields"] if field != "product") or "product"
    subject = f"{product}: {answer['measure']}" if product else answer["measure"]
    if answer["simulated"]:
        console.print("MADE-UP DATA, from collector simulate")
    console.print(f"{subject} by {by} ({answer['means']})")
    for line in _nothing(answer):
        console.print(line)
    for period, cells in groupby(answer["cells"], key=lambda cell: cell["period"]):
        title = period_name(answer["grain"], period)
        if period in answer["incomplete"]:
            title += ", incomplete: not all of its days or reports are in it"
        left = [one for one in answer["remainder"] if one["period"] == period]
        console.print(title, style="italic")
        console.print(_table(console.width, marks, answer, list(cells), left, top))
    if answer["so_far"] and answer["so_far"]["cells"]:
        until = f"{answer['so_far']['hour']:02}:00"
        title = f"{answer['so_far']['period']} so far, until {until} UTC: still open, and with more noise"
        console.print(title, style="italic")
        console.print(_table(console.width, marks, answer, answer["so_far"]["cells"], [], top))
    if len(answer["periods"]) > 1 and answer["cells"]:
        names = [period_name(answer["grain"], period) for period in answer["periods"]]
        title, table = summary(console.width, marks, answer, names, _fields(answer, answer["cells"]), top)
        console.print(title, style="italic")
        console.print(table)
    for note in [*answer["notes"], *_of_changes(answer), *_newer(answer)]:
        console.print(note, style="dim")


def _nothing(answer: dict[str, Any]) -> Iterator[str]:
    grain = answer["grain"]
    if not answer["periods"]:
        first, last = (period_name(grain, start) for start in answer["available"][_released(grain)])
        yield f"No {grain} of this time is released; released are {first} to {last}."
    elif not answer["cells"]:
        yield "No value is shown for this time."


def _of_changes(answer: dict[str, Any]) -> Iterator[str]:
    if any("change" in cell for cell in answer["cells"]):
        yield (
            f"A change is against the {answer['grain']} before; one that is not larger than its own 95 % error is no "
            "clear change."
        )


def _newer(answer: dict[str, Any]) -> Iterator[str]:
    """Where fresher numbers are, if the answer's grain is not the freshest."""
    grain = answer["grain"]
    shown = answer["periods"][-1] if answer["periods"] else ""
    if shown and grain in _MONTHS:
        start = dt.date.fromisoformat(shown)
        shown = start.replace(month=start.month + _MONTHS[grain] - 1, day=28).isoformat()
    fresher = [
        f"{period_name(other, last)} (--grain {other})"
        for other, (_, last) in answer["available"].items()
        if shown and answer["cells"] and last > shown and other != grain
    ]
    if fresher:
        yield f"Newer numbers: {', '.join(fresher)}."


def _released(grain: str) -> str:
    """The grain in which it is released: quarters and years are sums of months."""
    return "month" if grain in _MONTHS else grain


def _fields(answer: dict[str, Any], cells: list[Cell]) -> list[str]:
    """The columns that tell the cells apart."""
    products = {cell["product"] for cell in cells}
    return [f for f in answer["fields"] if f != "product" or len(products) > 1 or len(answer["fields"]) == 1]


def _table(width: int, marks: Marks, answer: dict[str, Any], cells: list[Cell], left: list[Cell], top: int) -> Table:
    largest = max((cell["value"] or 0 for cell in [*answer["cells"], *cells]), default=0)
    fields = _fields(answer, cells)
    changes = any("change" in cell for cell in cells)
    table = Table(box=marks.frame)
    for field in fields:
        table.add_column(field.replace("_", " "), overflow="fold")
    shown = cells[:top]
    columns = [
        (answer["measure"], [_value(cell) for cell in (*shown, *left)]),
        ("95 % error", [_error(cell, marks) for cell in (*shown, *left)]),
        *([("change", [*(_change(cell, marks) for cell in shown), *("" for _ in left)])] if changes else []),
    ]
    for heading, texts in columns:
        # A number that is cut off is worse than none: text columns fold first.
        table.add_column(heading, justify="right", no_wrap=True, min_width=max(map(len, [heading, *texts])))
    with_bars = width >= (_BARS_BESIDE_CHANGES_FROM_WIDTH if changes else _BARS_FROM_WIDTH)
    if with_bars:
        table.add_column("", no_wrap=True)
    numbers = list(zip(*(texts for _, texts in columns), strict=True))
    for cell, of_it in zip(shown, numbers[: len(shown)], strict=True):
        bar = [_bar(cell["value"], largest, marks)] if with_bars else []
        table.add_row(*(cell[field] or _NOT_REPORTED for field in fields), *of_it, *bar)
    table.add_section()
    for rest, of_it in zip(left, numbers[len(shown) :], strict=True):
        names = [rest["product"] if field == "product" else _NOT_SHOWN for field in fields]
        table.add_row(*names, *of_it, *([""] if with_bars else []))
    if len(cells) > top:
        table.caption = f"... and {len(cells) - top} more; --top {len(cells)} shows all"
    return table


def _value(cell: Cell) -> str:
    if cell["value"] is None:
        return f"{cell['released_months']} of {cell['months']} months released"
    return f"{cell['value']:,}"


def _error(cell: Cell, marks: Marks) -> str:
    return "" if cell["error"] is None else f"{marks.plus_minus} {cell['error']:,}"


def _change(cell: Cell, marks: Marks) -> str:
    """The change in words where it is not clear or not known, in numbers where it is."""
    if cell.get("change") is None:
        return "not shown before" if cell["value"] is not None and cell.get("previous") is None else ""
    if abs(cell["change"]) <= cell["change_error"]:
        return "no clear change"
    return f"{cell['change']:+,} {marks.plus_minus} {cell['change_error']:,}"


def _bar(value: int | None, largest: int, marks: Marks) -> str:
    if value is None:
        return ""
    return marks.block * min(_BAR_WIDTH, max(1, round(_BAR_WIDTH * value / max(1, largest))))
