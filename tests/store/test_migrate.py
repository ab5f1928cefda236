from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.store.engine import Engine
from collector.store.migrate import NewerDatabaseError, migrate, migrations
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
