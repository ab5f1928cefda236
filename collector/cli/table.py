"""A plain table on standard output: as wide as the terminal, or as wide as it needs where nobody looks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PIPED_WIDTH = 200


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[str] = frozenset()) -> None:
    """Prints rows under their columns; those in `numbers` stand to the right."""
    table = Table(box=_frame())
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", no_wrap=column in numbers)
    for row in rows:
        table.add_row(*row)
    if sys.stdout.isatty():
        Console(highlight=False, markup=False).print(table)
        return
    console = Console(width=_PIPED_WIDTH, no_color=True, highlight=False, markup=False)
    with console.capture() as text:
        console.print(table)
    for line in text.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def _frame() -> box.Box:
    try:
        "─".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return box.ASCII
    return box.SIMPLE_HEAD
