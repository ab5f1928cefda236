"""A worker's memory while reports pile up in its spool."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.abuse import memory
from tests.bench.row import Row, row

SETTLED = "worker with 100,000 reports waiting"
GROWTH = "its growth while more pile up"
WAITING = "reports waiting at the end"


def measure(quick: bool) -> dict[str, list[Row]]:
    reports = 150_000 if quick else 2_000_000
    with tempfile.TemporaryDirectory() as directory:
        settled, most = memory.measure(Path(directory), reports)
    return {"rows": [row(SETTLED, [settled], "MB"), row(GROWTH, [most - settled], "MB"), row(WAITING, [reports], "")]}
