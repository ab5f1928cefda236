"""Each database user can do its own work, as the collector does it, with the grants that are shipped."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.publish.periods import Period
from collector.publish.publisher import last_closed
from collector.publish.released import Released
from collector.store import nodes
from collector.store.engine import EngineError
from collector.store.loader import Loader, loaded_rows
from collector.store.migrate import applied, migrate, migrations
from tests.clickhouse.guarded import engine_of
from tests.clickhouse_server import ClickHouseServer
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, row, run_row


def segment(directory: Path, name: str, rows: list[dict]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps(one, default=str).encode() + b"\n" for one in rows)
    (directory / name).write_bytes(lines)


def test_a_month_from_the_spool_to_a_reader(
    store: ClickHouseServer, configuration: Configuration, tmp_path: Path
) -> None:
    """Loaded as ingest, closed, released and expired as publisher, read as reports: each with its own user."""
    ingest, publisher, reports = (engine_of(store, user) for user in ("ingest", "publisher", "reports"))
    days = [DAY + n * ONE for n in range(45)]
    loader = Loader(ingest, tmp_path / "spool", tmp_path / "quarantine")
    for day in days:
        rows = [row(day) for _ in range(60)]
        rows += [run_row(day, licence=f"00000000-0000-4000-8000-{n:012}") for n in range(150)]
        segment(tmp_path / "spool/w0/sealed", f"{day}.abcdef12-000000.ndjson", rows)
    assert loader.load_sealed() == len(days) * 210
    nodes.note(ingest, "a-node", days[-1], 0)
    assert loaded_rows(ingest) == len(days) * 210

    def has_loaded_past(day: dt.date) -> bool:
        return not nodes.lagging(publisher, day)

    publishing = publisher_on(publisher, configuration, has_loaded_past=has_loaded_past)
    released = publishing.publish(days[-1] + ONE, days[-2])
    assert {period.grain for period in released} == {"day", "week", "month"}
    open_day = dt.datetime.combine(days[-1], dt.time(12, 1), dt.UTC)
    publishing.publish_so_far(Period("so_far", open_day.date(), 12))
    assert last_closed(reports) == days[-2]
    assert Released(reports).state()
    cells = reports.rows("SELECT grain, count() FROM public.cells FINAL GROUP BY grain ORDER BY grain")
    assert {grain for grain, _ in cells} >= {"day", "month", "week"}
    kept = publisher.rows("SELECT min(counted_on) FROM private.counted")[0][0]
    assert kept > DAY, "what is released long ago has expired"
    for engine in (ingest, publisher, reports):
        engine.close()


def test_owner_migrates_and_the_others_look_whether_it_did(store: ClickHouseServer) -> None:
    owner, ingest = engine_of(store, "owner"), engine_of(store, "ingest")
    newest = migrations()[-1].version
    assert max(applied(ingest)[0]) == newest
    owner.command(f"ALTER TABLE private.migrations DELETE WHERE version = {newest} SETTINGS mutations_sync = 1")
    with pytest.raises(EngineError):
        migrate(ingest, DAY)
    assert [step.version for step in migrate(owner, DAY)] == [newest]
    owner.close()
    ingest.close()
