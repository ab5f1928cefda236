"""A backup: all of the store, as it was, and never believed where it is damaged."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.layout import Layout
from collector.store.backing_up import Backing
from collector.store.backup import Backup, BackupError, open_backup, remove_old
from collector.store.content import InterruptedClosingError
from collector.store.engine import Engine, open_embedded
from collector.store.migrate import migrate
from collector.store.move import Move, NotEmptyError
from tests.engine_kinds import KINDS
from tests.publish.interrupted import InterruptedEngine, KilledError, dying
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row
from tests.store.installations import everything, fill

NOW = dt.datetime(2026, 9, 18, 3, 15, tzinfo=dt.UTC)
NAME = "collector-20260918T031500Z"


@pytest.fixture(params=KINDS)
def engine_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def paths(tmp_path: Path) -> Layout:
    paths = Layout(tmp_path / "data")
    paths.data.mkdir(mode=0o700)
    return paths


@pytest.fixture
def full(engine: Engine, configuration: Configuration) -> Engine:
    fill(engine, configuration)
    return engine


@pytest.fixture
def backup(full: Engine, paths: Layout, tmp_path: Path) -> Backup:
    return take(full, paths, tmp_path / "backups")


@pytest.fixture
def held(full: Engine) -> dict[str, list[tuple]]:
    """All that the store holds at the moment of the backup."""
    return everything(full)


@pytest.fixture
def open_empty(full: Engine, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Closes the store that was backed up, and opens one with nothing in it: a process has one embedded engine."""
    with contextlib.ExitStack() as open_engines:

        def opening() -> Engine:
            full.close()
            other = open_embedded(tmp_path / "other")
            open_engines.callback(other.close)
            migrate(other, DAY)
            return other

        yield opening


def take(engine: Engine, paths: Layout, into: Path, now: dt.datetime = NOW) -> Backup:
    return open_backup(
        Backing(engine, paths.access, (paths.added_products, paths.simulated), lambda: None).take(
            into, now, lambda _: lambda _: None
        )
    )


def leftovers(engine: Engine, directory: Path) -> list:
    tables = [node.rows("SELECT name FROM system.tables WHERE startsWith(name, 'backing_')") for node in engine.nodes]
    return [found for found in tables if found] + list(directory.glob(".*"))


class TestOnEveryEngine:
    def test_everything_comes_back(
        self, full: Engine, open_engine: Callable[[], Engine], paths: Layout, tmp_path
    ) -> None:
        expected = everything(full)
        backup = take(full, paths, tmp_path / "backups")
        full.close()
        for database in ("private", "public"):
            for node in (emptied := open_engine()).nodes:
                node.command(f"DROP DATABASE IF EXISTS {database} SYNC")
        migrate(emptied, DAY)
        assert not everything(emptied)["public.cells"]
        moved = Move(backup, emptied, paths.data).run(lambda _: None)
        assert moved == backup.manifest.rows == sum(len(rows) for rows in expected.values())
        assert everything(emptied) == expected
        assert leftovers(emptied, tmp_path / "backups") == []
        emptied.close()

    def test_what_comes_in_while_it_is_taken_is_not_torn(self, full: Engine, paths: Layout, tmp_path: Path) -> None:
        """It is of one moment: what was there when it began, and for each table nothing after it."""
        before = everything(full)

        def load_more(statement: str) -> None:
            if "INTO OUTFILE" in statement or statement.startswith("SELECT * FROM private.backing_"):
                receive(full, [row(DAY + 2 * ONE) for _ in range(7)])

        backup = take(InterruptedEngine(full, load_more), paths, tmp_path / "backups")
        assert backup.manifest.rows == sum(len(rows) for rows in before.values())
        assert len(everything(full)["private.reports"]) > len(before["private.reports"])

    def test_killed_at_any_statement_it_leaves_nothing_that_is_believed(
        self, full: Engine, paths: Layout, tmp_path: Path
    ) -> None:
        into = tmp_path / "backups"
        step = 1 if os.environ.get("ENGINES") else 9
        statements, kills = 0, 0
        while True:
            statements += step
            try:
                take(dying(full, statements), paths, into, NOW + kills * dt.timedelta(seconds=1))
                break
            except KilledError:
                kills += 1
                for whole in into.glob("[!.]*"):  # killed once it was there, while it tidied up
                    open_backup(whole).check(lambda _: None)
        assert kills >= 3
        assert leftovers(full, into) == []


def test_it_is_for_its_owner_alone_and_holds_what_lies_beside(full: Engine, paths: Layout, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(paths.access)) as ledger, ledger:
        ledger.execute("CREATE TABLE held (value)")
        ledger.execute("INSERT INTO held VALUES ('a token')")
    paths.added_products.write_text("# added\n")
    paths.secrets.mkdir(mode=0o700)
    (paths.secrets / "pepper-2026Q3").write_bytes(b"SECRET-PEPPER" * 2)
    backup = take(full, paths, tmp_path / "backups")
    found = list(backup.directory.rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in found if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (backup.directory, *found) if path.is_dir()} == {0o700}
    assert not [path for path in found if path.is_file() and b"SECRET-PEPPER" in path.read_bytes()]
    back = Layout(tmp_path / "back")
    back.data.mkdir()
    backup.put_beside(back.data)
    assert back.added_products.read_text() == "# added\n"
    with contextlib.closing(sqlite3.connect(back.access)) as ledger:
        assert ledger.execute("SELECT value FROM held").fetchall() == [("a token",)]
    assert back.access.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "emptied"])
def test_damaged_backup_is_named_and_not_restored(
    backup: Backup, open_empty: Callable[[], Engine], tmp_path: Path, damage: str
) -> None:
    empty = open_empty()
    victim = min(backup.directory.glob("rows/public.cells/*"))
    content = victim.read_bytes()
    if damage == "missing":
        victim.unlink()
    else:
        half = len(content) // 2
        flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        victim.write_bytes({"flipped": flipped, "cut": content[:half], "emptied": b""}[damage])
    with pytest.raises(BackupError, match=r"public\.cells/.* (is damaged|is missing)"):
        backup.check(lambda _: None)
    with pytest.raises(BackupError, match=r"public\.cells/.* (is damaged|is missing)"):
        Move(backup, empty, tmp_path).run(lambda _: None)
    assert everything(empty)["public.cells"] == []
    victim.write_bytes(content)
    backup.check(lambda _: None)
    Move(backup, empty, tmp_path).run(lambda _: None)
    assert not list(tmp_path.glob("moving_*"))


def test_manifest_that_leads_out_of_the_backup_is_refused(backup: Backup) -> None:
    manifest = backup.directory / "manifest.json"
    said = json.loads(manifest.read_text())
    for path in ("../../etc/passwd", "/etc/passwd", "rows/../../x"):
        said["partitions"][0]["files"][0]["path"] = path
        manifest.write_text(json.dumps(said))
        with pytest.raises(BackupError, match="no backup that this program can read"):
            open_backup(backup.directory)


def test_backup_of_another_version_says_which(backup: Backup) -> None:
    manifest = backup.directory / "manifest.json"
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(said | {"migrations": said["migrations"] - 1, "program": "0.0.9"}))
    with pytest.raises(BackupError, match=r"made by version 0\.0\.9.*restore it with that version"):
        open_backup(backup.directory)


def test_directory_that_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no backup"):
        open_backup(tmp_path)


def test_day_in_the_middle_of_its_closing_is_not_backed_up(full: Engine, paths: Layout, tmp_path: Path) -> None:
    full.command("CREATE TABLE private.closing_2026_09_16 AS private.reports")
    with pytest.raises(InterruptedClosingError):
        take(full, paths, tmp_path / "backups")


def test_store_that_holds_something_else_is_not_touched(
    backup: Backup, open_empty: Callable[[], Engine], tmp_path: Path
) -> None:
    empty = open_empty()
    receive(empty, [row(dt.date(2026, 1, 1))])
    before = everything(empty)
    with pytest.raises(NotEmptyError):
        Move(backup, empty, tmp_path).run(lambda _: None)
    assert everything(empty) == before


def test_restoring_goes_on_after_a_kill(
    backup: Backup, held: dict, open_empty: Callable[[], Engine], tmp_path: Path
) -> None:
    statements, empty = 0, open_empty()
    for _ in range(100):
        statements += 11
        with contextlib.suppress(KilledError):
            Move(backup, dying(empty, statements), tmp_path).run(lambda _: None)
            break
    assert everything(empty) == held


def test_old_backups_go_and_nothing_else_does(full: Engine, paths: Layout, tmp_path: Path) -> None:
    into = tmp_path / "backups"
    for days in (9, 8, 1):
        take(full, paths, into, NOW - days * ONE)
    others = [into / "notes", into / "collector-2026", into / "collector-20200101T000000Z"]
    for path in others:
        path.mkdir()
    (into / ".collector-20260101T000000Z").mkdir()
    removed = remove_old(into, NOW - 7 * ONE)
    assert [path.name for path in removed] == ["collector-20260909T031500Z", "collector-20260910T031500Z"]
    assert sorted(path.name for path in into.iterdir()) == sorted(
        [*(path.name for path in others), "collector-20260917T031500Z"]
    )


class TestPublishedSince:
    """Published again with other noise, a day would tell more than once."""

    def test_days_since_the_backup_are_closed_without_cells(
        self,
        backup: Backup,
        open_empty: Callable[[], Engine],
        full: Engine,
        configuration: Configuration,
        tmp_path: Path,
    ) -> None:
        publisher_on(full, configuration).publish(DAY + 3 * ONE, DAY + 2 * ONE)
        lost = full.rows("SELECT count() FROM public.cells WHERE period = {day:Date}", day=DAY + 2 * ONE)
        assert lost[0][0] > 0
        empty = open_empty()
        Move(backup, empty, tmp_path).run(lambda _: None)
        publisher = publisher_on(empty, configuration)
        now = dt.datetime.combine(DAY + 4 * ONE, dt.time(13), dt.UTC)
        withheld = publisher.withhold(now, DAY + 3 * ONE)
        assert {str(period) for period in withheld} >= {f"day {DAY + 2 * ONE}", f"day {DAY + 3 * ONE}"}
        assert {period.hour for period in withheld if period.grain == "so_far"} == {6, 12}
        assert empty.rows("SELECT count() FROM public.cells WHERE period > {day:Date}", day=DAY + ONE) == [(0,)]
        assert publisher.due(DAY + 3 * ONE) == []
        assert publisher.due_so_far(now.replace(hour=12, minute=1)) is None
        assert publisher.withhold(now, DAY + 3 * ONE) != []  # the hours, again; no day
        # They still count in what ends later, and once.
        counted = empty.rows("SELECT counted_on, count() FROM private.counted GROUP BY ALL ORDER BY ALL")
        assert counted == [(DAY, 301), (DAY + ONE, 300), (DAY + 2 * ONE, 301)]

    def test_a_day_that_is_not_over_is_not_withheld(self, full: Engine, configuration: Configuration) -> None:
        from collector.publish.publisher import NotOverError

        with pytest.raises(NotOverError):
            publisher_on(full, configuration).withhold(dt.datetime.combine(DAY, dt.time(13), dt.UTC), DAY)
