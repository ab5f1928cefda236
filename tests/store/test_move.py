"""From an embedded engine to a server, or to shards: everything, once, and nothing else."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.store.content import InterruptedClosingError
from collector.store.engine import EmbeddedEngine, Engine, open_embedded
from collector.store.migrate import migrate
from collector.store.move import EngineSource, Move, NotEmptyError
from tests.engine_kinds import MOVING_KINDS
from tests.publish.interrupted import InterruptedEngine, KilledError, dying
from tests.sample_days import DAY, ONE, receive, row
from tests.store.installations import everything, fill


@pytest.fixture(params=MOVING_KINDS)
def engine_kind(request: pytest.FixtureRequest) -> str:
    """Where it goes."""
    return str(request.param)


@pytest.fixture
def source(tmp_path: Path, configuration: Configuration) -> Iterator[EmbeddedEngine]:
    engine = open_embedded(tmp_path / "from")
    fill(engine, configuration)
    yield engine
    engine.close()


def left_over(engine: Engine, directory: Path) -> list:
    tables = [node.rows("SELECT name FROM system.tables WHERE startsWith(name, 'moving_')") for node in engine.nodes]
    return [found for found in tables if found] + list(directory.glob("moving_*"))


def test_everything_is_there_and_another_run_moves_nothing(
    source: EmbeddedEngine, engine: Engine, tmp_path: Path
) -> None:
    move = Move(EngineSource(source), engine, tmp_path)
    told: list[int] = []
    moved = move.run(told.append)
    assert moved == sum(told) == sum(content.rows for content in move.source.contents().values())
    assert everything(engine) == everything(source)
    assert move.run(lambda _: None) == 0
    assert left_over(engine, tmp_path) == []


def test_killed_at_any_statement_it_goes_on(
    source: EmbeddedEngine, open_engine: Callable[[], Engine], tmp_path: Path
) -> None:
    target = open_engine()
    migrate(target, DAY)
    expected = everything(source)
    # Each third statement in the long run; a few of them all over in the short one.
    step = 3 if os.environ.get("ENGINES") else 17
    statements, kills = 0, 0
    while True:
        statements += step
        with contextlib.suppress(KilledError):
            Move(EngineSource(source), dying(target, statements), tmp_path).run(lambda _: None)
            break
        kills += 1
    assert kills >= 2
    assert everything(target) == expected
    assert left_over(target, tmp_path) == []
    target.close()


def test_what_the_server_holds_of_others_is_not_touched(source: EmbeddedEngine, engine: Engine, tmp_path: Path) -> None:
    receive(engine, [row(dt.date(2026, 1, 1))])
    before = everything(engine)
    with pytest.raises(NotEmptyError, match=r"private\.reports"):
        Move(EngineSource(source), engine, tmp_path).run(lambda _: None)
    assert everything(engine) == before


def test_rows_on_the_server_that_differ_are_made_equal(source: EmbeddedEngine, engine: Engine, tmp_path: Path) -> None:
    """A copy that was cut in the middle is one that differs."""
    receive(engine, [row(DAY + 2 * ONE)])
    Move(EngineSource(source), engine, tmp_path).run(lambda _: None)
    assert everything(engine) == everything(source)


def test_day_in_the_middle_of_its_closing_is_not_moved(source: EmbeddedEngine, engine: Engine, tmp_path: Path) -> None:
    source.command("CREATE TABLE private.closing_2026_09_16 AS private.reports")
    with pytest.raises(InterruptedClosingError, match="collector publish"):
        Move(EngineSource(source), engine, tmp_path).run(lambda _: None)


def test_rows_past_their_time_hold_nothing_up(source: EmbeddedEngine, engine: Engine, tmp_path: Path) -> None:
    """The server drops them on arrival; the source has them until it merges."""
    source.command("ALTER TABLE private.loads REMOVE TTL")
    source.insert("private.loads", ["segment", "received_on", "rows"], [["old", dt.date(2020, 1, 1), 3]])
    source.command(
        "ALTER TABLE private.loads MODIFY TTL received_on + INTERVAL 400 DAY SETTINGS materialize_ttl_after_modify = 0"
    )
    Move(EngineSource(source), engine, tmp_path).run(lambda _: None)
    assert everything(engine) == everything(source)


def test_file_in_between_is_for_its_owner_alone(source: EmbeddedEngine, engine: Engine, tmp_path: Path) -> None:
    modes = []

    def look(_: str) -> None:
        modes.extend(path.stat().st_mode & 0o777 for path in tmp_path.glob("moving_*"))

    watched = InterruptedEngine(engine, look)
    Move(EngineSource(source), watched, tmp_path).run(lambda _: None)
    assert set(modes) == {0o600}
