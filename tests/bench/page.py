"""Writes the page about speed from a full run: `python -m tests.bench.page RESULTS.json`.

deploy/SPEED.md and deploy/speed.svg are made from nothing but the file, which is kept as deploy/speed.json.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from schemas.markdown import table
from tests.bench import names, words
from tests.bench.plot import plot
from tests.bench.results import Results
from tests.bench.verdicts import judge
from tests.conftest import PROJECT

DIRECTORY = PROJECT / "deploy"
PAGE, PICTURE, DATA = "SPEED.md", "speed.svg", "speed.json"
_INTRODUCTION = """# Speed

What a report costs, and what is promised of it: measured on one machine, ours beside others in turns. Machines differ
and are noisy, so ratios are what counts; `make bench` measures yours, `make bench-quick` roughly in three minutes.
This page is made from [speed.json](speed.json) by `python -m tests.bench.page`."""
_METHOD = f"""## How it is measured

- Each target is a real process, or several, on one core; the sender is another process on another core. Targets take
  turns within a workload, A B C A B C, so that what disturbs the machine disturbs all.
- The sender writes prepared bytes on sockets and looks at every status; each report has an id of its own. Where it was
  itself busy for more than 95 % of the time a row says "sender-bound": its rate is a lower bound, and the ratio is one
  of CPU time per report.
- CPU is user and system time of the server's processes, by the kernel. "Answering" is the process that answers, "whole"
  is all of them: of ours worker, supervisor and store, of others with their database. It is read when reports have
  arrived where they go, in the workloads into the database.
- "{names.INGEST}" is `collector serve` whose store is stopped, so that one core has one worker to itself and reports
  pile up in the spool. "{names.WHOLE}" is all of it, loading included, on that one core.
- "{names.BARE}" reads the body and answers; it keeps nothing. "{names.FASTAPI}" is what most people would write
  (`tests/bench/fastapi_app.py`): a pydantic model, a list, an insert each second into a ClickHouse server.
  "{names.INSERT}" has no server but ClickHouse: each report is an INSERT of its own.
- Peak memory is the most that a process had resident (VmHWM), mapped files included."""


def page(results: Results) -> str:
    """The page's text."""
    return "\n\n".join([_INTRODUCTION, *_promises(results), *_measurements(results), *_parts(results), _METHOD]) + "\n"


def _promises(results: Results) -> list[str]:
    verdicts = judge(results)
    held = sum(verdict.holds is True for verdict in verdicts)
    failed = sum(verdict.holds is False for verdict in verdicts)
    machine = "; ".join(f"{what}: {told}" for what, told in results.content["machine"].items())
    return [
        f"{words.heading(results)}. {machine}.",
        "## Promises",
        f"Of {len(verdicts)} promises {held} hold, {failed} do not, {len(verdicts) - held - failed} were not measured.",
        _joined(words.PROMISED, map(words.promised, verdicts)),
    ]


def _measurements(results: Results) -> list[str]:
    told = ["## Workloads", f"![What a report costs]({PICTURE})"]
    for workload in results.workloads:
        found = [one for one in results.measurements if one["workload"] == workload]
        told += [f"### {workload}", _joined(words.MEASURED, map(words.measured, found))]
    return told


def _parts(results: Results) -> list[str]:
    told = ["## Parts"]
    for name, part in results.content["parts"].items():
        told += [f"### {name}", _joined(words.FIGURES, map(words.figure, part["rows"]))]
    if skipped := results.content["skipped"]:
        told += ["Left out:", "\n".join(f"- {what}: {why}" for what, why in skipped.items())]
    return told


def _joined(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(table(columns, rows))


def main() -> None:
    results = Results.read(Path(sys.argv[1]))
    if results.content["quick"]:
        sys.exit("these are the rough figures of a quick run; the page is made from a full one")
    (DIRECTORY / PAGE).write_text(page(results), encoding="utf-8")
    (DIRECTORY / PICTURE).write_bytes(plot(results))
    results.write(DIRECTORY / DATA)


if __name__ == "__main__":
    main()
