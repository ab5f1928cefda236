"""The benchmark: `python -m tests.bench [--quick] [--format text|json] [--out FILE.json] [--only NAME ...]`.

Measures ours beside others in turns, then parts of ours, and prints what was measured and which promises hold.
`make bench` writes bench-results/full.json, from which `python -m tests.bench.page` makes deploy/SPEED.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from tests.bench import machine, parts, rounds, terminal
from tests.bench.results import FORMAT, Results
from tests.bench.stages import STAGES


def main() -> None:
    given = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    started = time.monotonic()

    def tell(what: str) -> None:
        line = f"{time.monotonic() - started:5.0f} s  {what}"
        sys.stderr.write(f"\r\x1b[K{line}" if sys.stderr.isatty() else f"{line}\n")
        sys.stderr.flush()

    try:
        results = _run(given.quick, given.only, tell)
    except KeyboardInterrupt:
        sys.exit("\nstopped; nothing was kept")
    tell("done")
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        results.write(given.out)
    if given.format == "json":
        print(json.dumps(results.content, indent=1))
    else:
        terminal.show(results)


def _stop(*_: object) -> NoReturn:
    """What was started is stopped on the way out, and impatience does not keep it from that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="rough figures in less than three minutes")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--out", type=Path, help="write the results to this file too")
    workloads = [workload.name for stage in STAGES for workload in stage.workloads]
    parser.add_argument(
        "--only", action="append", choices=[*workloads, *parts.PARTS], metavar="NAME", help="a workload or part; again"
    )
    return parser.parse_args()


def _run(quick: bool, only: list[str] | None, tell: Any) -> Results:
    plan = rounds.QUICK if quick else rounds.FULL
    content: dict[str, Any] = {
        "format": FORMAT,
        "quick": quick,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "on": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": machine.commit(),
        "machine": machine.describe(Path(tempfile.gettempdir())),
        "measurements": [],
        "parts": {},
        "skipped": {},
    }
    for stage in STAGES:
        chosen = stage.only(only)
        if chosen.workloads:
            measured, skipped = rounds.measure(chosen, plan, tell)
            content["measurements"] += measured
            content["skipped"] |= skipped
    wanted = [name for name in parts.PARTS if only is None or name in only]
    content["parts"], skipped = parts.measure(wanted, quick=quick, tell=tell)
    content["skipped"] |= skipped
    return Results(content)


if __name__ == "__main__":
    main()
