"""Nothing is left of a pseudonym, wherever the engine could keep it."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.store.engine import Engine
from collector.store.erasing import FORGETTING, OldPartsError, erase
from collector.store.lease import HeldByAnotherError, Lease
from tests.erasure.everywhere import found
from tests.leaks.needles import uuid_needle
from tests.publish.interrupted import InterruptedEngine, KilledError, asleep, dying
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row, run_row
from tests.store.installations import everything

GONE, OTHER = uuid.UUID("6f1b3c52-8d7e-4a90-b1c4-52e07d9a3f18"), uuid.UUID("7d444840-9dc0-4d1a-b245-5ffdce74fad2")
NEEDLE = uuid_needle("pseudonym", GONE)


@pytest.fixture
def directory(engine_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where the engine keeps its files."""
    if engine_kind == "embedded":
        return tmp_path / "engine"
    server = request.getfixturevalue("cluster" if engine_kind == "sharded" else "clickhouse")
    return Path(server.directory)


@pytest.fixture
def full(engine: Engine, configuration: Configuration) -> Engine:
    """A closed day, one whose closing was killed, an open one, copies of killed work, and old parts of all of them."""
    for n in range(4):
        receive(engine, [row(DAY + n * ONE) for _ in range(150)])
        receive(engine, [run_row(DAY + n * ONE, licence=one) for one in (GONE, OTHER) for _ in range(6)])
    publisher = publisher_on(engine, configuration)
    publisher.publish(DAY + ONE, DAY)
    publisher.lease.give_up()
    for node in engine.nodes:
        node.command("CREATE TABLE private.closing_2026_09_15 AS private.reports")
        node.command("ALTER TABLE private.reports MOVE PARTITION '2026-09-15' TO TABLE private.closing_2026_09_15")
        node.command("CREATE TABLE private.counting_0a AS private.counted")
        node.command("INSERT INTO private.counting_0a SELECT * FROM private.counted")
        node.command("CREATE TABLE private.backing_0a AS private.reports")
        node.command("ALTER TABLE private.backing_0a ATTACH PARTITION '2026-09-16' FROM private.reports")
        node.command("OPTIMIZE TABLE private.reports FINAL")
        node.command("OPTIMIZE TABLE private.counted FINAL")
    return engine


def erased(engine: Engine) -> int:
    return erase(engine, [str(GONE)], lambda: None).rows


def without_it(held: dict[str, list[tuple]]) -> dict[str, list[tuple]]:
    return {table: [one for one in rows if GONE not in one] for table, rows in held.items()}


def test_it_is_found_where_it_was_and_nowhere_afterwards(full: Engine, directory: Path) -> None:
    before = found(full, directory, NEEDLE)
    # The search finds what it has to miss later: in tables, and on disk in parts of each of them.
    assert {"private.reports", "private.counted", "private.closing_2026_09_15", "private.backing_0a"} <= {
        place.split(": ")[1] for place in before["tables"]
    }
    assert len(before["packed"]) > len(before["tables"])  # parts that no table shows
    held = everything(full)
    assert erased(full) == 24
    assert found(full, directory, NEEDLE) == {"tables": set(), "packed": set(), "files": set()}
    assert everything(full) == without_it(held)
    for node in full.nodes:
        assert node.rows("SELECT count() FROM private.closing_2026_09_15 WHERE received_on != '2026-09-15'") == [(0,)]
        assert not node.rows("SELECT name FROM system.tables WHERE database = 'private' AND name = 'forgetting'")
        settings = node.rows("SELECT create_table_query FROM system.tables WHERE name IN ('reports', 'counted')")
        assert not [text for (text,) in settings if "old_parts_lifetime" in text]


def test_a_delete_that_names_it_would_be_found(full: Engine, directory: Path) -> None:
    """What the search is for: the rows are gone, and the pseudonym is still in old parts and in a statement's text."""
    for node in full.nodes:
        node.command(f"ALTER TABLE private.counted DELETE WHERE licence = '{GONE}' SETTINGS mutations_sync = 2")
    after = found(full, directory, NEEDLE)
    assert not [place for place in after["tables"] if "private.counted" in place]
    assert [place for place in after["files"] if "mutation_" in place]
    assert after["packed"]


def test_killed_at_any_statement_it_goes_on(full: Engine, directory: Path) -> None:
    held = everything(full)
    step = 5 if os.environ.get("ENGINES") else 1
    statements = kills = 0
    while True:
        with contextlib.suppress(KilledError):
            erase(dying(full, statements), [str(GONE)], lambda: None)
            break
        statements += step
        kills += 1
        receive(full, [row(DAY + 3 * ONE, report_id=uuid.UUID(int=kills + (4 << 76)))])
    assert kills >= 20 // step
    assert found(full, directory, NEEDLE) == {"tables": set(), "packed": set(), "files": set()}
    after = everything(full)
    assert len(after["private.reports"]) == len(without_it(held)["private.reports"]) + kills
    assert {t: rows for t, rows in after.items() if t != "private.reports"} == {
        t: rows for t, rows in without_it(held).items() if t != "private.reports"
    }


def test_what_is_loaded_meanwhile_is_not_lost(full: Engine) -> None:
    """Before each statement a report comes, of the same days; one of the licence is a new report, and may stay."""
    held, loaded = without_it(everything(full)), []

    def load(_: str) -> None:
        loaded.append(run_row(DAY + 3 * ONE, licence=OTHER))
        receive(full, loaded[-1:])

    erase(InterruptedEngine(full, load), [str(GONE)], lambda: None)
    there = {one[0] for one in everything(full)["private.reports"]}
    assert there == {one[0] for one in held["private.reports"]} | {one["report_id"] for one in loaded}


def test_report_whose_second_try_was_of_no_licence_goes_as_a_whole(full: Engine, directory: Path) -> None:
    """The engine shows the later row alone; the earlier one is still there."""
    twice = run_row(DAY + 9 * ONE, licence=GONE)
    receive(full, [twice])
    receive(full, [twice | {"licence": uuid.UUID(int=0)}])
    assert erased(full) == 25
    assert found(full, directory, NEEDLE) == {"tables": set(), "packed": set(), "files": set()}


def test_it_stands_back_from_a_publisher(full: Engine) -> None:
    Lease(full, "another").hold()
    before = everything(full)
    with pytest.raises(HeldByAnotherError):
        erase(full, [str(GONE)], Lease(full, "mine").hold)
    assert everything(full) == before


def test_publisher_that_takes_over_meanwhile_stops_it(full: Engine) -> None:
    """Asleep for longer than its lease lasts, it does nothing more once it looks again."""
    mine, another = Lease(full, "mine"), Lease(full, "another", lasts_seconds=0)
    with pytest.raises(HeldByAnotherError):
        erase(asleep(full, 8, another.hold), [str(GONE)], mine.hold)
    counted = full.over_all("private.counted")
    held = full.rows(f"SELECT count() FROM {counted} WHERE licence = {{one:UUID}}", one=GONE)
    assert held == [(6,)]  # it had not come that far
    another.give_up()
    assert erase(full, [str(GONE)], mine.hold).rows


def test_old_part_that_is_being_read_is_told_of(full: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.store.erasing._PURGE_SECONDS", 0.2)

    class Keeping(InterruptedEngine):
        """Whose old parts stay."""

        @property
        def nodes(self) -> tuple[InterruptedEngine, ...]:
            return (self,)

        def command(self, statement: str, **parameters: object) -> None:
            if "DROP PARTITION ID 'none'" not in statement:
                super().command(statement, **parameters)

    with pytest.raises(OldPartsError):
        erase(Keeping(full, lambda _: None), [str(GONE)], lambda: None)
    assert full.rows(f"SELECT count() FROM {FORGETTING}") == [(1,)]  # the next run has it
    monkeypatch.undo()
    assert erased(full) < 24


def test_week_of_it_is_released_without_it(full: Engine, configuration: Configuration) -> None:
    """Counted rows of an erased licence are in no release that comes later; what is out stays."""
    cells = full.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")
    erased(full)
    publisher_on(full, configuration).publish(DAY + 8 * ONE, DAY + 7 * ONE)
    of_day = full.rows("SELECT * FROM public.cells FINAL WHERE period = {day:Date} ORDER BY ALL", day=DAY)
    assert [one for one in of_day if one in cells] == [one for one in cells if one in of_day]
    licences = full.rows(f"SELECT DISTINCT licence FROM {full.over_all('private.counted')} WHERE keyed")
    assert licences == [(OTHER,)]
