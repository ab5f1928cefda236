"""Moves an installation of a year to two shards, killed twice on the way: `make test-cluster` runs it, minutes long.

MOVE_REPORTS (2,000,000) and MOVE_DAYS (364) say how large it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen

from collector.store.engine import Engine, open_embedded
from tests.cluster import Cluster
from tests.conftest import BIN, collector, started

REPORTS = os.environ.get("MOVE_REPORTS", "2000000")
DAYS = os.environ.get("MOVE_DAYS", "364")
_CELLS = "SELECT formatRow('TSV', *) FROM public.cells FINAL ORDER BY ALL"
_KILLS = 2


def cells(engine: Engine) -> list[str]:
    return [cell for (cell,) in engine.rows(_CELLS)]


def rows(engine: Engine) -> dict[str, int]:
    reports, counted = engine.over_all("private.reports"), engine.over_all("private.counted")
    return {table: engine.rows(f"SELECT count() FROM {table}")[0][0] for table in (f"{reports} FINAL", counted)}


def killed_move(cluster: Cluster, command: list[str], share: float, total: int) -> None:
    """A move that is killed once about this share of the rows has arrived."""
    process = Popen(command, stdout=PIPE, stderr=PIPE)
    arrived = (
        "SELECT coalesce(sum(total_rows), 0) FROM system.tables WHERE database = 'private' AND engine LIKE '%MergeTree'"
    )
    while process.poll() is None:
        there = sum(int(server.ask(arrived)[0][0]) for server in cluster.servers)
        if there > share * total:
            process.kill()
            process.wait()
            say(f"killed with {there:,} of {total:,} rows there")
            return
        time.sleep(0.02)
    raise AssertionError("it was done before it was killed: " + process.communicate()[1].decode())


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Prints what it does; ends with an assertion where something differs."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        began = time.monotonic()
        say(collector("simulate", "--data", str(data), "--days", DAYS, "--reports", REPORTS).stdout.splitlines()[0])
        say(f"made in {time.monotonic() - began:.0f} s")
        embedded = open_embedded(data / "engine")
        published, held = cells(embedded), rows(embedded)
        embedded.close()
        total = sum(held.values())
        with started(Cluster(Path(scratch) / "cluster", 2)) as cluster:
            secret = str(cluster.entry.password_file)
            options = ["--store-tables", "sharded", "--store-password-file", secret]
            command = [str(BIN / "collector"), "move", "--from", str(data), "--to", cluster.url(), *options]
            for kill in range(_KILLS):
                killed_move(cluster, command, (kill + 1) / (_KILLS + 1), total)
            began = time.monotonic()
            say(collector(*command[1:]).stdout.splitlines()[0])
            say(f"finished in {time.monotonic() - began:.1f} s")
            moved = cluster.engine()
            assert cells(moved) == published
            assert sorted(rows(moved).values()) == sorted(held.values())
            say(
                f"{len(published):,} published cells are identical; {total:,} private rows on {len(moved.nodes)} shards"
            )
            moved.close()


if __name__ == "__main__":
    main()
