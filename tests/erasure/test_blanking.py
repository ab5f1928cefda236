"""A withdrawn field is left empty wherever it is, and everything else stays as it was."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.store.blanking import COLUMNS, blank
from collector.store.engine import Engine, open_embedded
from schemas.policy import SHIPPED_POLICY
from tests.conftest import collector, running
from tests.erasure.everywhere import found
from tests.erasure.machine import TODAY, asked, spool, told
from tests.leaks.needles import text_needle
from tests.publish.interrupted import KilledError, dying
from tests.publishers import publisher_on
from tests.ready_engine import ReadyEngine
from tests.sample_days import DAY, ONE, receive, row, run_row
from tests.store.installations import everything

OLD = "qaa-Qaaa-QM"
OTHER = uuid.UUID("7d444840-9dc0-4d1a-b245-5ffdce74fad2")
NEEDLE = text_needle("old", OLD)


@pytest.fixture
def full(engine: Engine, configuration: Configuration) -> Engine:
    for n in range(2):
        receive(engine, [row(DAY + n * ONE, language=OLD) for _ in range(60)])
        receive(engine, [run_row(DAY + n * ONE, language=OLD, licence=OTHER) for _ in range(6)])
    publisher_on(engine, configuration).publish(DAY + ONE, DAY)
    return engine


def expected(held: dict[str, list[tuple]], source: str) -> dict[str, list[tuple]]:
    return {
        table: sorted(
            tuple("" if value == OLD and source in one else value for value in one) if "private" in table else one
            for one in rows
        )
        for table, rows in held.items()
    }


def as_sets(held: dict[str, list[tuple]]) -> dict[str, list[tuple]]:
    return {table: sorted(rows) for table, rows in held.items()}


def test_field_is_empty_for_the_sources_that_it_is_withdrawn_from(full: Engine) -> None:
    held = everything(full)
    assert blank(full, "language", ["vm"], lambda: None) == 120
    assert as_sets(everything(full)) == expected(held, "vm")
    assert blank(full, "language", ["vm"], lambda: None) == 0
    assert blank(full, "language", ["installbuilder"], lambda: None) == 12


def test_nothing_is_left_of_it_in_private_tables_and_old_parts(full: Engine, engine_kind: str, tmp_path: Path) -> None:
    if engine_kind != "embedded":
        pytest.skip("its files hold cells too, which stay")
    assert found(full, tmp_path / "engine", NEEDLE)["packed"]
    blank(full, "language", ["vm", "installbuilder"], lambda: None)
    published = full.rows("SELECT count() FROM public.cells WHERE language = {old:String}", old=OLD)
    after = found(full, tmp_path / "engine", NEEDLE)
    assert not [place for place in after["tables"] if "private." in place]
    if published == [(0,)]:
        assert after == {"tables": set(), "packed": set(), "files": set()}


def test_killed_at_any_statement_it_goes_on(full: Engine) -> None:
    held, statements = everything(full), 0
    while True:
        with contextlib.suppress(KilledError):
            blank(dying(full, statements), "language", ["vm"], lambda: None)
            break
        statements += 5 if os.environ.get("ENGINES") else 1
    assert statements > 10
    assert as_sets(everything(full)) == expected(held, "vm")
    for node in full.nodes:
        assert not node.rows("SELECT name FROM system.tables WHERE startsWith(name, 'blanking_')")


def test_each_field_can_be_blanked(full: Engine) -> None:
    """A policy may withdraw any of them."""
    blanked = {field: blank(full, field, ["vm", "installbuilder"], lambda: None) for field in COLUMNS}
    assert blanked == dict.fromkeys(COLUMNS, 132) | {"instance_type": 0, "license_key": 12}
    counted = full.over_all("private.counted")  # that there was a key is told by the key alone
    assert full.rows(f"SELECT count() FROM {counted} WHERE keyed OR licence != toUUID('{uuid.UUID(int=0)}')") == [(0,)]


def withdraw(path: Path) -> Path:
    text = SHIPPED_POLICY.read_text(encoding="utf-8")
    path.write_text(text.replace('field = "language"\n', 'field = "language"\nwithdrawn = true\n'), "utf-8")
    return path


class TestCommand:
    @pytest.fixture
    def data(self, ready_engine: ReadyEngine, tmp_path: Path) -> Path:
        data = tmp_path / "data"
        ready_engine.put(data / "engine")
        spool(data)
        spool(data, damaged=True, worker="w8")
        return data

    @pytest.fixture
    def policy(self, tmp_path: Path) -> Path:
        """Withdraws the language of every source."""
        return withdraw(tmp_path / "policy.toml")

    @pytest.mark.parametrize(
        ("field", "says"),
        [
            ("language", "language is still permitted"),
            ("product", "cannot be purged"),
            ("report_id", "cannot be purged"),
            ("hostname", "knows no such field"),
        ],
    )
    def test_what_may_not_go_is_refused(self, data: Path, field: str, says: str) -> None:
        done = asked(data, "policy", "purge", field)
        assert done.exit_code == 2
        assert says in done.output

    def test_spool_quarantine_and_store(self, data: Path, policy: Path) -> None:
        with running(data, "--policy", str(policy)) as server:
            server.wait_until_loaded()
            said = told(data, "policy", "purge", "language")
            assert said["rows"] == {"store": 11, "spool": 0, "quarantine": 11}
            policy.write_text(SHIPPED_POLICY.read_text(encoding="utf-8"), "utf-8")
            collector("reload", "--data", str(data))
            done = asked(data, "policy", "purge", "language")
            assert done.exit_code == 2  # the workers store it again
            assert "collector reload" in done.output
        spool(data)
        withdraw(policy)
        said = told(data, "policy", "purge", "language", "--policy", str(policy))
        assert said["rows"] == {"store": 0, "spool": 11, "quarantine": 0}
        lines = [json.loads(line) for path in data.rglob("*.ndjson") for line in path.read_text().splitlines()]
        assert {line["language"] for line in lines if "language" in line} == {""}
        engine = open_embedded(data / "engine")
        assert engine.rows("SELECT DISTINCT language FROM private.reports") == [("",)]
        engine.close()

    def test_segment_that_no_worker_seals_keeps_it_pending(self, data: Path, policy: Path) -> None:
        with running(data, "--policy", str(policy), "--seal-after-seconds", "1") as server:
            server.wait_until_loaded()
            stuck = data / "spool/w0/open" / f"{TODAY}.0a-1.ndjson"
            stuck.touch()
            done = asked(data, "policy", "purge", "language")
            assert done.exit_code == 3
            assert "pending: 1 segments of the spool that a worker has not sealed" in done.stdout
            stuck.unlink()
            assert told(data, "policy", "purge", "language")["pending"] == []
