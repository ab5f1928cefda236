from __future__ import annotations

import datetime as dt
import json

import pytest

from collector.capacity.costs import COSTS, Costs, CostsFile, Measured, read_file, updated

DAY = dt.date(2026, 11, 30)


def test_shipped_file_has_every_figure_with_its_source() -> None:
    file = read_file()
    assert list(file.costs) == list(Costs.model_fields)
    assert file.figures().worker_tls_us > file.figures().worker_keepalive_us


def test_shipped_file_is_as_it_would_be_written() -> None:
    file = read_file()
    found = {name: Measured(entry.value, entry.source) for name, entry in file.costs.items()}
    (day,) = {entry.measured_on for entry in file.costs.values()}
    assert updated(found, day, file.machine) == COSTS.read_text(encoding="utf-8")


def test_some_figures_measured_anew_stand_beside_those_that_were_not() -> None:
    held = read_file()
    text = updated({"worker_tls_us": Measured(123.456, "a better clock")}, DAY, held.machine, held)
    costs = json.loads(text)["costs"]
    assert costs["worker_tls_us"] == {"value": 123.0, "source": "a better clock", "measured_on": "2026-11-30"}
    assert CostsFile.model_validate_json(text).costs["spool_bytes"] == held.costs["spool_bytes"]


@pytest.mark.parametrize(
    ("found", "machine", "problem"),
    [
        ({"worker_tls_us": Measured(1, "x")}, "another machine", "measured elsewhere and not anew"),
        ({"worker_tls_ms": Measured(1, "x")}, None, "no such figure: worker_tls_ms"),
        ({"worker_tls_us": Measured(0, "x")}, None, "worker_tls_us"),
        ({"worker_tls_us": Measured(1, "")}, None, "source"),
    ],
)
def test_file_that_would_mislead_is_not_written(found: dict[str, Measured], machine: str | None, problem: str) -> None:
    held = read_file()
    with pytest.raises(ValueError, match=problem):
        updated(found, DAY, machine or held.machine, held)


def test_missing_figure_is_named() -> None:
    with pytest.raises(ValueError, match="worker_new_us"):
        updated({"worker_tls_us": Measured(1, "x")}, DAY, "a machine")
