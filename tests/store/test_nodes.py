"""Several collectors on one store: who is waited for, and whose pepper counts."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import pytest

from collector.ingest.pseudonyms import PEPPER_BYTES, PepperError, Peppers
from collector.store import nodes
from collector.store.engine import Engine
from collector.store.lease import HeldByAnotherError, Lease
from collector.store.migrate import migrate
from collector.store.shared_pepper import OtherPepperError, SharedPepper
from tests.sample_days import DAY, ONE


@pytest.fixture
def engine_kind() -> str:
    """The statements are the same everywhere, and a server is where they are used."""
    return "server"


def test_day_waits_for_every_node_but_those_that_left(engine: Engine) -> None:
    assert nodes.lagging(engine, DAY) == []
    nodes.note(engine, "one", DAY, 0)
    nodes.note(engine, "two", DAY - ONE, 3)
    assert [node.name for node in nodes.lagging(engine, DAY)] == ["two"]
    nodes.note(engine, "two", DAY - ONE, 0, has_left=True)
    assert nodes.lagging(engine, DAY) == []
    nodes.note(engine, "two", DAY - ONE, 1)
    assert [node.waiting for node in nodes.lagging(engine, DAY)] == [1], "it is back"
    nodes.forget(engine, "two")
    assert nodes.lagging(engine, DAY) == []
    assert [(node.name, node.has_left) for node in nodes.all_nodes(engine)] == [("one", False), ("two", True)]


def pepper(directory: Path, content: bytes, name: str = "2026Q3") -> SharedPepper:
    directory.mkdir()
    file = directory / f"pepper-{name}"
    file.write_bytes(content)
    file.chmod(0o600)
    return SharedPepper(Peppers(directory, makes=False))


def test_first_pepper_is_the_stores_and_another_is_refused(engine: Engine, tmp_path: Path) -> None:
    content = secrets.token_bytes(PEPPER_BYTES)
    pepper(tmp_path / "one", content).agree(engine, DAY)
    pepper(tmp_path / "two", content).agree(engine, DAY)
    with pytest.raises(OtherPepperError, match="collector pepper list"):
        pepper(tmp_path / "three", secrets.token_bytes(PEPPER_BYTES)).agree(engine, DAY)
    stored = str(engine.rows("SELECT * FROM private.peppers"))
    assert content.hex() not in stored
    assert len(engine.rows("SELECT * FROM private.peppers")) == 1


def test_pepper_of_the_next_quarter_is_due_three_weeks_ahead(tmp_path: Path) -> None:
    one = pepper(tmp_path / "one", secrets.token_bytes(PEPPER_BYTES))
    assert not one.is_due(dt.date(2026, 9, 9))
    assert one.is_due(dt.date(2026, 9, 10))


def test_missing_pepper_is_made_by_nobody_where_machines_share_one(tmp_path: Path) -> None:
    with pytest.raises(PepperError, match="collector pepper make 2026Q3"):
        Peppers(tmp_path, makes=False).prepare(DAY)
    assert list(tmp_path.iterdir()) == []


def test_two_migrators_do_not_work_at_once(engine: Engine) -> None:
    engine.command("ALTER TABLE private.migrations DELETE WHERE version = 5 SETTINGS mutations_sync = 1")
    other = Lease(engine, "another", "migrating")
    other.hold()
    with pytest.raises(HeldByAnotherError, match="migrating"):
        migrate(engine, DAY)
    other.give_up()
    assert [step.version for step in migrate(engine, DAY)] == [5]
    assert engine.rows("SELECT name FROM system.tables WHERE startsWith(name, 'migrating_')") == []
