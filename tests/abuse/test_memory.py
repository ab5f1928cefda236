from __future__ import annotations

from pathlib import Path

from tests.abuse.memory import ALLOWED_GROWTH_MEGABYTES, measure


def test_workers_memory_is_flat_while_the_spool_grows(tmp_path: Path) -> None:
    first, most = measure(tmp_path, 200_000)
    assert most - first <= ALLOWED_GROWTH_MEGABYTES
