"""Published counts as a person reads them: a title, a table for each period, bars where there is room."""

from __future__ import annotations

import datetime as dt
import io
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_REPORTED = "(not reported)"
_NOT_SHOWN = "(not shown)"
_BAR_WIDTH = 24
# A bar needs this much beside the numbers; in a narrower terminal they go without.
_BARS_FROM_WIDTH = 78
_PIPED_WIDTH = 120


def show(answer: dict[str, Any], product: str | None, top: int) -> None:
    """Prints an answer of `collector.reports.usage` on standard output."""
    if sys.stdout.isatty():
        _print(Console(highlight=False, markup=False), answer, product, top)
        return
    text = io.StringIO()
    _print(Console(file=text, width=_PIPED_WIDTH, no_color=True, highlight=False, markup=False), answer, product, top)
    for line in text.getvalue().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def period_name(grain: str, start: str) -> str:
    """A period in words: `2026-10-31`, `week from Monday 2026-10-26`, `October 2026`."""
    if grain == "week":
        return f"week from Monday {start}"
    return f"{dt.date.fromisoformat(start):%B %Y}" if grain == "month" else start


def _print(console: Console, answer: dict[str, Any], product: str | None, top: int) -> None:
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
        console.print(_table(console.width, answer, title, list(cells), left, top))
    if answer["so_far"] and answer["so_far"]["cells"]:
        until = f"{answer['so_far']['hour']:02}:00"
        title = f"{answer['so_far']['period']} so far, until {until} UTC: still open, and with more noise"
        console.print(_table(console.width, answer, title, answer["so_far"]["cells"], [], top))
    for note in [*answer["notes"], *_newer(answer)]:
        console.print(note, style="dim")


def _nothing(answer: dict[str, Any]) -> Iterator[str]:
    grain = answer["grain"]
    if not answer["periods"]:
        first, last = (period_name(grain, start) for start in answer["available"][grain])
        yield f"No {grain} of this time is released; released are {first} to {last}."
    elif not answer["cells"]:
        yield "No value is shown for this time."


def _newer(answer: dict[str, Any]) -> Iterator[str]:
    """Where fresher numbers are, if the answer's grain is not the freshest."""
    shown = answer["periods"][-1] if answer["periods"] else ""
    fresher = [
        f"{period_name(grain, last)} (--grain {grain})"
        for grain, (_, last) in answer["available"].items()
        if shown and last > shown and grain != answer["grain"]
    ]
    if fresher:
        yield f"Newer numbers: {', '.join(fresher)}."


def _table(
    width: int,
    answer: dict[str, Any],
    title: str,
    cells: list[dict[str, Any]],
    left: list[dict[str, Any]],
    top: int,
) -> Table:
    largest = max(cell["value"] for cell in answer["cells"] or cells)
    plus_minus, block, frame = _marks()
    products = {cell["product"] for cell in cells}
    fields = [f for f in answer["fields"] if f != "product" or len(products) > 1 or len(answer["fields"]) == 1]
    table = Table(title=title, title_justify="left", box=frame)
    for field in fields:
        table.add_column(field.replace("_", " "), overflow="fold")
    for heading, texts in (
        (answer["measure"], [f"{cell['value']:,}" for cell in (*cells, *left)]),
        ("95 % error", [f"{plus_minus} {cell['error']:,}" for cell in (*cells, *left)]),
    ):
        # A number that is cut off is worse than none: text columns fold first.
        table.add_column(heading, justify="right", no_wrap=True, min_width=max(map(len, [heading, *texts])))
    with_bars = width >= _BARS_FROM_WIDTH
    if with_bars:
        table.add_column("", no_wrap=True)
    for cell in cells[:top]:
        numbers = [f"{cell['value']:,}", f"{plus_minus} {cell['error']:,}"]
        bar = [block * min(_BAR_WIDTH, max(1, round(_BAR_WIDTH * cell["value"] / largest)))] if with_bars else []
        table.add_row(*(cell[field] or _NOT_REPORTED for field in fields), *numbers, *bar)
    table.add_section()
    for rest in left:
        texts = [rest["product"] if field == "product" else _NOT_SHOWN for field in fields]
        table.add_row(*texts, f"{rest['value']:,}", f"{plus_minus} {rest['error']:,}", *([""] if with_bars else []))
    if len(cells) > top:
        table.caption = f"... and {len(cells) - top} more; --top {len(cells)} shows all"
    return table


def _marks() -> tuple[str, str, box.Box]:
    """Plus-minus, bar and frame, in letters that standard output can carry."""
    try:
        "±█─".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "+-", "#", box.ASCII
    return "±", "█", box.SIMPLE_HEAD
