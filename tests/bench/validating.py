"""What validation costs in the process, without HTTP or disk."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

from collector.configuration import read_configuration
from collector.ingest.validation import Validator
from collector.settings import Settings
from schemas.reports import REPORTS, ImageBoot
from tests.bench.row import Row, row
from tests.bench.wording import BODY

VALIDATED = "validate one report to its row"
PARSED = "of that, parsing by the model alone"
_CALLS = 20_000


def measure(quick: bool) -> dict[str, list[Row]]:
    known = read_configuration(Settings(data=Path("unused")))
    validator = Validator(known.policy, known.catalogue, lambda _key, _day: "", lambda: "")
    report, day = REPORTS["image-boot/1"], dt.date(2026, 9, 14)
    validated, parsed = [], []
    for _ in range(3 if quick else 7):
        validated.append(_microseconds(lambda: validator.validate_json(report, BODY, day)))
        parsed.append(_microseconds(lambda: ImageBoot.model_validate_json(BODY)))
    return {"rows": [row(VALIDATED, validated, "us"), row(PARSED, parsed, "us")]}


def _microseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - started) / _CALLS * 1e6
