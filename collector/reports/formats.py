"""An answer's values as a file: CSV for spreadsheets, Parquet for data frames, JSON for everything else."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.publish.released import Released

_NUMBERS = ("value", "error", "released_months", "months", "previous", "change", "change_error")
# A spreadsheet takes what begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


def written(answer: dict[str, Any], form: str, released: Released) -> bytes:
    """The answer as a file.

    Args:
        answer: of `usage`.
        form: json, csv or parquet.
        released: its engine writes Parquet.
    """
    if form == "csv":
        return _csv(answer)
    if form == "parquet":
        types = {name: _type(name) for name in columns(answer)}
        return released.packed(types, ({name: row[name] for name in types} for row in _rows(answer)), "Parquet")
    return json.dumps(answer).encode() + b"\n"


def columns(answer: dict[str, Any]) -> list[str]:
    """The columns of the answer's values."""
    there = answer["cells"][0] if answer["cells"] else {"value": None, "error": None}
    return ["period", *answer["fields"], *(name for name in _NUMBERS if name in there), "complete"]


def _rows(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The values, and whether each one's period has all its days and reports."""
    incomplete = set(answer["incomplete"])
    return ({**cell, "complete": cell["period"] not in incomplete} for cell in answer["cells"])


def _csv(answer: dict[str, Any]) -> bytes:
    text = io.StringIO()
    names = columns(answer)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    for row in _rows(answer):
        writer.writerow([plain(row[name]) for name in names])
    return text.getvalue().encode()


def plain(value: object) -> object:
    """A value that no spreadsheet takes for a formula; numbers are numbers, truths are lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _type(column: str) -> str:
    if column == "period":
        return "Date"
    if column == "complete":
        return "Bool"
    return "Nullable(Int64)" if column in _NUMBERS else "String"
