"""One figure of a part: a name, a median with its lowest and highest, and a unit."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NotRequired, TypedDict


class Row(TypedDict):
    """As it stands in the results."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    note: NotRequired[str]


def row(name: str, values: Sequence[float], unit: str) -> Row:
    """The row of what was measured several times, or once."""
    return {"name": name, "value": statistics.median(values), "unit": unit, "low": min(values), "high": max(values)}
