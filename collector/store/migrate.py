"""Numbered SQL files bring a database to this program's version; each is applied once, in order, on every node.

One migrates at a time: of two, the second finds everything done, or stands by while the first is at it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from collector.store.lease import Lease
from collector.store.sharded import CLUSTER, distribute, is_distributing, shards_of_the_cluster, stop_distributing

if TYPE_CHECKING:
    import datetime as dt

    from collector.store.engine import Engine

MIGRATIONS = Path(__file__).parent / "migrations"
DATABASES = ("CREATE DATABASE IF NOT EXISTS private", "CREATE DATABASE IF NOT EXISTS public")


class Migration(NamedTuple):
    """One numbered step: `0001_private_and_public.sql` is version 1."""

    version: int
    name: str
    statements: list[str]


class NewerDatabaseError(Exception):
    """The database was made by a newer program; this one does not know its tables."""


class OlderDatabaseError(Exception):
    """The database is behind this program, which may not change it."""


class OtherClusterError(Exception):
    """The servers that were named are not the cluster that the first of them knows."""


def migrations() -> list[Migration]:
    """All steps, oldest first."""
    found = []
    for path in sorted(MIGRATIONS.glob("*.sql")):
        number, name = path.stem.split("_", 1)
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        found.append(Migration(int(number), name, [s.strip() for s in text.split(";") if s.strip()]))
    return found


def applied(engine: Engine) -> list[set[int]]:
    """The versions that each node has, the entry first; changes nothing.

    Raises:
        EngineError: the engine failed.
    """
    return [_applied_on(node) for node in engine.nodes]


def missing(engine: Engine) -> list[Migration]:
    """The steps that at least one node lacks, oldest first; changes nothing.

    Raises:
        NewerDatabaseError: the database is ahead of this program.
        EngineError: the engine failed.
    """
    known = migrations()
    nodes = applied(engine)
    newest = max((max(versions) for versions in nodes if versions), default=0)
    if newest > known[-1].version:
        raise NewerDatabaseError(
            f"the database is at version {newest}, this program knows {known[-1].version}: run the newer program"
        )
    return [step for step in known if any(step.version not in versions for versions in nodes)]


def demand_current(engine: Engine) -> None:
    """Looks whether another program has brought the database to this program's version.

    Raises:
        OlderDatabaseError, NewerDatabaseError: it has not.
        EngineError: the engine failed.
    """
    if missing(engine) or not is_distributing(engine):
        raise OlderDatabaseError("the database is not at this program's version: run `collector migrate apply`")


def migrate(engine: Engine, today: dt.date) -> list[Migration]:
    """Applies what is missing; safe to run again after being killed at any statement.

    Returns:
        The steps that were applied.

    Raises:
        NewerDatabaseError: the database is ahead of this program.
        OtherClusterError: the servers are not the cluster's shards.
        HeldByAnotherError: another program is migrating; try again.
        EngineError: the engine failed.
    """
    if not missing(engine) and is_distributing(engine):
        return []
    if len(engine.nodes) > 1 and shards_of_the_cluster(engine) != len(engine.nodes):
        raise OtherClusterError(
            f"store_url names {len(engine.nodes)} servers, but the cluster '{CLUSTER}' in the first one's "
            f"configuration has {shards_of_the_cluster(engine)} shards: name one server of each shard, in its order"
        )
    for node in engine.nodes:
        for statement in DATABASES:
            node.command(statement)
    lease = Lease(engine, engine.name, "migrating")
    lease.hold()
    steps = missing(engine)
    stop_distributing(engine)
    for node in engine.nodes:
        _migrate_on(node, today, lease)
    distribute(engine)
    lease.give_up()
    return steps


def _migrate_on(engine: Engine, today: dt.date, lease: Lease) -> None:
    engine.command(
        "CREATE TABLE IF NOT EXISTS private.migrations (version UInt32, name String, applied_on Date) "
        "ENGINE = MergeTree ORDER BY version"
    )
    done = _applied_on(engine)
    for step in migrations():
        if step.version not in done:
            for statement in step.statements:
                lease.hold()
                engine.command(statement)
            engine.insert("private.migrations", ["version", "name", "applied_on"], [[step.version, step.name, today]])


def _applied_on(engine: Engine) -> set[int]:
    is_there = engine.rows("SELECT 1 FROM system.tables WHERE database = 'private' AND name = 'migrations'")
    return {version for (version,) in engine.rows("SELECT version FROM private.migrations")} if is_there else set()
