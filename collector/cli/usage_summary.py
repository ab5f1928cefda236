"""Several periods at a glance: each value as a line over them, and what it was last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from collector.cli.sparkline import GAPS, sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.cli.marks import Marks

_NOT_REPORTED = "(not reported)"
_LONGEST_LINE = 60
# What names and numbers take of the width at the most.
_BESIDE_THE_LINE = 48


def summary(
    width: int, marks: Marks, answer: dict[str, Any], names: Sequence[str], fields: Sequence[str], top: int
) -> tuple[str, Table]:
    """A title, and a table with a row for each value.

    Args:
        width: of the output, in letters.
        marks: the letters that it can carry.
        answer: of `collector.reports.usage`, with at least one period.
        names: of the answer's periods.
        fields: the columns that tell its values apart.
        top: how many rows, those with the largest sum first.
    """
    room = max(8, min(_LONGEST_LINE, width - _BESIDE_THE_LINE))
    periods = answer["periods"][-room:]
    rows = _rows(answer, fields)[:top]
    left_out = f", the latest {len(periods)} of {len(names)}" if len(periods) < len(names) else ""
    title = f"{names[-len(periods)]} to {names[-1]}{left_out}; each line from 0 to its own largest value"
    table = Table(box=marks.frame)
    for field in fields:
        table.add_column(field.replace("_", " "), overflow="fold")
    table.add_column(f"{answer['grain']}s", no_wrap=True, min_width=len(periods))
    # A period that lacks days or reports is left out: it would look like a fall.
    whole = [p for p in periods if p not in answer["incomplete"]]
    heading = "last" if periods[-1] in whole else "last complete"
    lasts = [_last(of.get(whole[-1]) if whole else None, marks) for _, of in rows]
    table.add_column(heading, justify="right", no_wrap=True, min_width=max(map(len, [heading, *lasts])))
    lines = [
        sparkline([of[p]["value"] if p in of and p in whole else None for p in periods], blocks=marks.blocks)
        for _, of in rows
    ]
    for (values, _), line, last in zip(rows, lines, lasts, strict=True):
        table.add_row(*(value or _NOT_REPORTED for value in values), line, last)
    gap = GAPS[marks.blocks]
    why = "none is shown" if len(whole) == len(periods) else "none is shown or the period is incomplete"
    return f"{title}, {gap} where {why}" if any(gap in line for line in lines) else title, table


def _rows(answer: dict[str, Any], fields: Sequence[str]) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """For each value what tells it apart and its cell of each period, the largest sum first."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for cell in answer["cells"]:
        found.setdefault(tuple(cell[field] for field in fields), {})[cell["period"]] = cell
    return sorted(found.items(), key=lambda row: (-sum(cell["value"] or 0 for cell in row[1].values()), row[0]))


def _last(cell: dict[str, Any] | None, marks: Marks) -> str:
    if cell is None or cell["value"] is None:
        return GAPS[marks.blocks]
    return f"{cell['value']:,} {marks.plus_minus} {cell['error']:,}"
