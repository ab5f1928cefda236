"""Numbered SQL files bring a database to this program's version; each is applied once, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime as dt

    from collector.store.engine import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


class Migration(NamedTuple):
    """One numbered step: `0001_private_and_public.sql` is version 1."""

    version: int
    name: str
    statements: list[str]


class NewerDatabaseError(Exception):
    """The database was made by a newer program; this one does not know its tables."""


def migrations() -> list[Migration]:
    """All steps, oldest first."""
    found = []
    for path in sorted(MIGRATIONS.glob("*.sql")):
        number, name = path.stem.split("_", 1)
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        found.append(Migration(int(number), name, [s.strip() for s in text.split(";") if s.strip()]))
    return found


def migrate(engine: Engine, today: dt.date) -> list[Migration]:
    """Applies what is missing; safe to run again after being killed at any statement.

    Returns:
        The steps that were applied.

    Raises:
        NewerDatabaseError: the database is ahead of this program.
    """
    for database in ("private", "public"):
        engine.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    engine.command(
        "CREATE TABLE IF NOT EXISTS private.migrations (version UInt32, name String, applied_on Date) "
        "ENGINE = MergeTree ORDER BY version"
    )
    applied = {version for (version,) in engine.rows("SELECT version FROM private.migrations")}
    known = migrations()
    if applied - {step.version for step in known}:
        raise NewerDatabaseError(
            f"the database is at version {max(applied)}, this program knows {known[-1].version}: run the newer program"
        )
    missing = [step for step in known if step.version not in applied]
    for step in missing:
        for statement in step.statements:
            engine.command(statement)
        engine.insert("private.migrations", ["version", "name", "applied_on"], [[step.version, step.name, today]])
    return missing
