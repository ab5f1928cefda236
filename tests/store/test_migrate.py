from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from collector.store.engine import Engine
from collector.store.migrate import NewerDatabaseError, migrate, migrations
from tests.publish.interrupted import InterruptedEngine, KilledError
from tests.sample_days import DAY


def tables(engine: Engine) -> set[str]:
    rows = engine.rows("SELECT database || '.' || name FROM system.tables WHERE database IN ('private', 'public')")
    return {name for (name,) in rows}


def test_fresh_database_gets_every_step_once(open_engine: Callable[[], Engine]) -> None:
    engine = open_engine()
    assert migrate(engine, DAY) == migrations()
    assert migrate(engine, DAY) == []
    assert {"private.reports", "private.counted", "public.cells", "public.releases"} <= tables(engine)
    engine.close()


def test_step_that_was_killed_half_way_is_finished(open_engine: Callable[[], Engine]) -> None:
    engine = open_engine()
    migrate(engine, DAY)
    complete = tables(engine)
    engine.command("TRUNCATE TABLE private.migrations")
    engine.command("DROP TABLE public.releases SYNC")
    assert migrate(engine, DAY) == migrations()
    assert tables(engine) == complete
    engine.close()


def test_cells_of_before_are_in_their_new_order_wherever_the_change_was_killed(
    open_engine: Callable[[], Engine],
) -> None:
    engine = open_engine()
    changes = next(step for step in migrations() if step.version == 4).statements
    cells = [(grain, DAY, "boots", "wordpress", 70) for grain in ("day", "so_far_06", "so_far_12")]
    for killed_before in changes:
        at_version_3(engine)
        for cell in cells:
            engine.insert("public.cells", ["grain", "period", "measure", "product", "value"], [cell])
        with contextlib.suppress(KilledError):
            migrate(dying_before(engine, killed_before), DAY)
        migrate(engine, DAY)
        found = engine.rows("SELECT grain, period, measure, product, value FROM public.cells FINAL ORDER BY grain")
        assert found == cells
        tables = engine.rows("SELECT name, sorting_key FROM system.tables WHERE database = 'public' AND name LIKE 'c%'")
        ((name, key),) = tables
        assert name == "cells"
        assert key.startswith("measure, breakdown, grain, product, period")
    engine.close()


def dying_before(engine: Engine, statement: str) -> InterruptedEngine:
    """The engine in a process that is killed before this statement."""

    def look(next_one: str) -> None:
        if next_one == statement:
            raise KilledError

    return InterruptedEngine(engine, look)


def at_version_3(engine: Engine) -> None:
    for database in ("private", "public"):
        engine.command(f"DROP DATABASE IF EXISTS {database} SYNC")
        engine.command(f"CREATE DATABASE {database}")
    for step in migrations()[:3]:
        for statement in step.statements:
            engine.command(statement)
    engine.command(
        "CREATE TABLE private.migrations (version UInt32, name String, applied_on Date) "
        "ENGINE = MergeTree ORDER BY version"
    )
    engine.insert("private.migrations", ["version", "name", "applied_on"], [[n, "", DAY] for n in (1, 2, 3)])


def test_newer_database_is_refused(engine: Engine) -> None:
    engine.insert("private.migrations", ["version", "name", "applied_on"], [[9999, "future", DAY]])
    with pytest.raises(NewerDatabaseError, match="run the newer program"):
        migrate(engine, DAY)


def test_rows_survive_the_restart_of_the_engine(open_engine: Callable[[], Engine]) -> None:
    engine = open_engine()
    migrate(engine, DAY)
    engine.insert("private.loads", ["segment", "received_on", "rows"], [["a", DAY, 3]])
    engine.close()
    again = open_engine()
    assert again.rows("SELECT segment, rows FROM private.loads") == [("a", 3)]
    again.close()
