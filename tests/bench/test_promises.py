"""Promises follow from results, on the right basis, and say what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import names
from tests.bench.figures import BY_CPU
from tests.bench.parts import PARTS
from tests.bench.promises import PROMISES
from tests.bench.results import Results
from tests.bench.row import row
from tests.bench.stages import STAGES
from tests.bench.verdicts import Verdict, judge


def measured(
    workload: str,
    target: str,
    rate: float,
    answers: str,
    cost: float,
    *,
    whole: float = 0,
    sender_bound: bool = False,
    ran: float = 0.8,
) -> dict[str, Any]:
    figures = {"reports_per_second": rate, answers: cost, names.TOTAL: whole or cost}
    spread = {name: {"median": value, "low": value, "high": value} for name, value in figures.items()}
    return {
        "workload": workload,
        "target": target,
        "acknowledges": "on disk",
        "answers": answers,
        "reports_per_second": spread.pop("reports_per_second"),
        "cpu_us": spread,
        "busy": 0.5,
        "ran": ran,
        "waited": 0.1,
        "sender_bound": sender_bound,
        "statuses": {"202": 100},
        "unexpected": {},
        "peak_mb": {answers: 70.0},
    }


def results(*measurements: dict[str, Any], cores: int = 2, **parts: Any) -> Results:
    return Results(
        {
            "format": 1,
            "quick": False,
            "rounds": 7,
            "seconds": 3.0,
            "on": "2026-11-27",
            "commit": "0123456789ab",
            "machine": {"cores": str(cores)},
            "measurements": list(measurements),
            "parts": parts,
            "skipped": {names.OTEL_SYNCED: "npm is missing"},
        }
    )


def verdict(name: str, of: Results) -> Verdict:
    return next(one for one in judge(of) if one.name == name)


def test_a_ratio_of_rates_holds_or_not_and_says_what_bounds_it() -> None:
    floor = measured(names.KEEP_ALIVE, names.BARE, 10_000, names.HANDLER, 40)
    good = verdict("keep-alive", results(measured(names.KEEP_ALIVE, names.INGEST, 7_500, names.WORKER, 80), floor))
    assert (good.value, good.holds, good.note) == (0.75, True, "by CPU per report it is 0.5x")
    bad = verdict("keep-alive", results(measured(names.KEEP_ALIVE, names.INGEST, 7_400, names.WORKER, 80), floor))
    assert (bad.value, bad.holds) == (0.74, False)
    assert bad.note.startswith("by CPU per report it is 0.5x. The bare handler only parses HTTP")


def test_where_the_sender_was_the_limit_cpu_per_report_decides() -> None:
    ours = measured(names.KEEP_ALIVE, names.INGEST, 10_000, names.WORKER, 80)
    floor = measured(names.KEEP_ALIVE, names.BARE, 10_000, names.HANDLER, 40, sender_bound=True)
    found = verdict("keep-alive", results(ours, floor))
    assert (found.value, found.holds) == (0.5, False)
    assert found.note.startswith(BY_CPU)
    batches = measured(names.BATCHES, names.INGEST, 100_000, names.WORKER, 5, sender_bound=True)
    assert verdict("NDJSON", results(batches)).value == 200_000


def test_a_floor_that_had_its_core_and_did_not_use_it_was_waiting_for_the_sender() -> None:
    ours = measured(names.KEEP_ALIVE, names.INGEST, 10_000, names.WORKER, 80)
    floor = measured(names.KEEP_ALIVE, names.BARE, 10_000, names.HANDLER, 40, ran=0.7)
    assert verdict("keep-alive", results(ours, floor)).value == 0.5


def test_whole_servers_are_compared_with_their_databases() -> None:
    ours = measured(names.INTO_THE_DATABASE, names.WHOLE, 1, names.WORKER, 50, whole=60)
    others = measured(names.INTO_THE_DATABASE, names.FASTAPI, 1, names.HANDLER, 100, whole=180)
    assert verdict("to FastAPI", results(ours, others)).value == 3


def test_two_workers_are_judged_by_rate_only_with_a_core_for_the_sender() -> None:
    one = measured(names.TWO_CORES, names.ONE_WORKER, 10_000, names.WORKER, 50)
    two = measured(names.TWO_CORES, names.TWO_WORKERS, 12_000, names.WORKER, 50)
    assert verdict("two workers", results(one, two)).value == 2
    assert verdict("two workers", results(one, two, cores=4)).value == 1.2


def test_what_was_left_out_is_neither_held_nor_broken() -> None:
    ours = measured(names.INTO_THE_DATABASE, names.WHOLE, 1, names.WORKER, 50)
    found = verdict("to OpenTelemetry", results(ours))
    assert (found.value, found.holds, found.note) == (None, None, "npm is missing")
    assert all(one.holds is None for one in judge(results()))


def test_every_promise_is_of_something_that_a_full_run_measures() -> None:
    everything = [
        measured(workload.name, target, 1, names.WORKER, 1)
        for stage in STAGES
        for workload in stage.workloads
        for target in stage.targets
    ]
    missing = [one.note for one in judge(results(*everything)) if one.holds is None]
    assert missing
    assert {note.split()[0] for note in missing} <= set(PARTS)


def test_parts_are_found_by_their_names() -> None:
    found = results(start={"rows": [row("collector --help", [150, 210, 190], "ms")]})
    assert (verdict("help", found).value, verdict("help", found).holds) == (190, True)


def test_parts_may_judge_by_themselves() -> None:
    told = {"name": "loader to engine", "target": ">= 0.9 x", "measured": 0.8, "holds": False, "bound_by": "the disk"}
    found = verdict("loading", results(loading={"rows": [], "promises": [told]}))
    assert found == Verdict("loading", "loader to engine", ">= 0.9 x", 0.8, "", False, "the disk")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.name)
def test_a_target_itself_holds_only_where_it_may_be_reached(promise: Any) -> None:
    assert promise.holds_with(promise.target) is (promise.relation != "below")
    assert promise.bounded_by
