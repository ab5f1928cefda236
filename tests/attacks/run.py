"""Plays every attack against the product's protection and prints how often each was right.

    python -m tests.attacks.run [--worlds N] [--processes N] [--write PATH]

Exit code 1 if one reaches its bar, falls short of its theory, or cannot break exact counts. The scores are the
same on every machine and for any number of processes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from collector.publish.menu import SHIPPED_MENU, load_menu
from schemas.policy import load_policy
from tests.attacks.mechanism import Setting
from tests.attacks.scores import Score
from tests.attacks.suite import ATTACKS, Task, scores, tasks

WORLDS = 20_000
_COLUMNS = "{:<52} {:>6} {:>15} {:>6} {:>6} {:>7} {:>6}  {}"


def play(setting: Setting, exact: Setting, task: Task) -> Any:
    """Plays one block."""
    number, is_exact, block = task
    with threadpool_limits(1):  # one core a process, and sums in one order: the same scores everywhere
        return ATTACKS[number].play(exact if is_exact else setting, block)


def run(setting: Setting, worlds: int, processes: int) -> list[Score]:
    """All scores; the work is spread over processes."""
    planned = tasks(worlds)
    exact = Setting(setting.menu, setting.profile, is_exact=True)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return scores(planned, pool.imap(partial(play, setting, exact), planned, 2), done=_Progress(len(planned)))


class _Progress:
    """Says on stderr how far the work is: at every percent on a terminal, else at every tenth of it."""

    def __init__(self, steps: int) -> None:
        self._steps, self._done, self._said = steps, 0, -1
        self._started = time.monotonic()

    def __call__(self) -> None:
        self._done += 1
        percent = 100 * self._done // self._steps
        if percent > self._said and (sys.stderr.isatty() or percent % 10 == 0):
            self._said = percent
            end = "\r" if sys.stderr.isatty() and percent < 100 else "\n"
            seconds = time.monotonic() - self._started
            sys.stderr.write(f"attacking: {percent} % of {self._steps} blocks, {seconds:.0f} s{end}")
            sys.stderr.flush()


def table(found: Sequence[Score]) -> list[str]:
    """One line for each score, with a head."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    lines = [_COLUMNS.format("attack", "score", "95 %", "bar", "theory", "control", "needed", "")]
    for s in found:
        interval = f"{s.low:.3f} - {s.high:.3f}"
        verdict = ("pass" if s.bar is not None else "published") if s.passed else "FAIL"
        numbers = (number(s.bar), number(s.theory), number(s.control), number(s.control_needed))
        lines.append(_COLUMNS.format(s.name, number(s.score), interval, *numbers, verdict))
    return lines


def published(setting: Setting, worlds: int, found: Sequence[Score]) -> str:
    """The file of scores: without a date, so that the same code and menu give the same bytes."""
    menu = setting.menu
    content = {
        "menu": menu.fingerprint,
        "profile": setting.profile,
        "k": menu.k,
        "gate_sigmas": menu.gate_sigmas,
        "sigmas": menu.profiles[setting.profile].model_dump(),
        "worlds": worlds,
        "attacks": [score.published() for score in found],
    }
    return json.dumps(content, indent=2) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=WORLDS, help="worlds of the largest games (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="processes to share the work (%(default)s)")
    parser.add_argument("--profile", default="standard", help="noise of the menu (%(default)s)")
    parser.add_argument("--menu", type=Path, default=SHIPPED_MENU, help="another menu than the shipped one")
    parser.add_argument("--write", type=Path, metavar="PATH", help="write the scores there, as JSON")
    options = parser.parse_args()
    setting = Setting(load_menu(load_policy(), options.menu), options.profile)
    found = run(setting, options.worlds, options.processes)
    sys.stdout.writelines(f"{line}\n" for line in table(found))
    if options.write:
        options.write.write_text(published(setting, options.worlds, found), encoding="utf-8")
    failed = [score.name for score in found if not score.passed]
    sys.stdout.write(f"{len(found) - len(failed)} of {len(found)} as they must be\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
