"""A progress bar on standard error, where a person looks."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Shows a bar until the block ends; gives a function that advances it. Silent where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=total)
        yield lambda n: bar.advance(task, n)


@contextmanager
def beginning(title: str, unit: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Gives a function that shows the bar once it is told how much there is, and gives what advances it."""
    with ExitStack() as bars:
        yield lambda total: bars.enter_context(progress(title, total, unit))
