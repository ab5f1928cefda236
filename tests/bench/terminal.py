"""Results as tables in the terminal."""

from __future__ import annotations

from collector.cli.table import show_table
from tests.bench import words
from tests.bench.results import Results
from tests.bench.verdicts import judge


def show(results: Results) -> None:
    """Prints workloads, parts, what was left out, and the promises last."""
    print(words.heading(results))
    for what, told in results.content["machine"].items():
        print(f"  {what}: {told}")
    for workload in results.workloads:
        print(f"\n{workload}")
        found = [one for one in results.measurements if one["workload"] == workload]
        show_table(words.MEASURED, map(words.measured, found), words.NUMBERS)
    for part, told in results.content["parts"].items():
        print(f"\n{part}")
        show_table(words.FIGURES, map(words.figure, told["rows"]), words.NUMBERS)
    for what, why in results.content["skipped"].items():
        print(f"left out: {what}: {why}")
    print("\npromises")
    show_table(words.PROMISED, map(words.promised, judge(results)))
