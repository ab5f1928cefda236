"""Which core the server has and which the sender, so that neither takes time from the other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

# As they were when this process began: it moves itself while it starts others.
_CORES = sorted(os.sched_getaffinity(0))
SERVER, SENDER = _CORES[0], _CORES[-1]
ARE_APART = SERVER != SENDER


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes that are started meanwhile, and those that they start, stay on this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spread(processes: list[int]) -> None:
    """Gives each process a core of its own, as far as there are some."""
    for place, process in enumerate(processes):
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {_CORES[place % len(_CORES)]})
