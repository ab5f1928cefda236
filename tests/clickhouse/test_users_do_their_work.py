"""Each database user can do its own work, as the collector does it, with the grants that are shipped."""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.layout import Layout
from collector.publish.periods import Period
from collector.publish.publisher import last_closed
from collector.publish.released import Released
from collector.reports.question import read_question
from collector.reports.usage import usage
from collector.status import status
from collector.store import nodes
from collector.store.backing_up import Backing
from collector.store.backup import open_backup
from collector.store.blanking import blank
from collector.store.content import contents
from collector.store.engine import Engine, EngineError
from collector.store.erasing import erase
from collector.store.lease import HeldByAnotherError, Lease
from collector.store.loader import Loader, loaded_rows
from collector.store.migrate import applied, demand_current, migrate, migrations
from tests.clickhouse.guarded import USERS, engine_of, engine_over, guarded_shard
from tests.clickhouse_server import ClickHouseServer
from tests.cluster import Cluster
from tests.conftest import started
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row, run_row

# The days at the end of a month that are closed; ACCESS_DAYS=30 closes all of it, in the same statements.
LAST = dt.date(2026, 9, 30)
FIRST = LAST - (int(os.environ.get("ACCESS_DAYS", "4")) - 1) * ONE
LONG_AGO = dt.date(2026, 8, 3)
ACCESS_DENIED = 497


@pytest.fixture
def engines(store: ClickHouseServer) -> Iterator[dict[str, Engine]]:
    """A connection of each user."""
    opened = {user: engine_of(store, user) for user in USERS}
    yield opened
    for engine in opened.values():
        engine.close()


@pytest.fixture
def guarded_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Two shards with the shipped users on each, without tables."""
    with started(Cluster(tmp_path / "cluster", 2, guarded_shard)) as found:
        yield found


def loader_of(engine: Engine, directory: Path, days: list[dt.date], boots: int, runs: int = 0) -> Loader:
    """A loader with a sealed segment of each day before it."""
    sealed = directory / "spool/w0/sealed"
    sealed.mkdir(parents=True)
    for day in days:
        rows = [row(day) for _ in range(boots)]
        rows += [run_row(day, licence=f"00000000-0000-4000-8000-{n:012}") for n in range(runs)]
        lines = b"".join(json.dumps(one, default=str).encode() + b"\n" for one in rows)
        (sealed / f"{day}.abcdef12-000000.ndjson").write_bytes(lines)
    return Loader(engine, directory / "spool", directory / "quarantine")


def back_up(publisher: Engine, directory: Path) -> int:
    """Takes a backup as the publisher does; the number of its rows."""
    paths = Layout(directory / "publisher")
    paths.data.mkdir()
    now = dt.datetime.combine(LAST + 2 * ONE, dt.time(3), dt.UTC)
    return open_backup(
        Backing(publisher, paths.access, (paths.added_products, paths.simulated), lambda: None).take(
            directory / "backups", now, lambda _: lambda _: None
        )
    ).manifest.rows


def left_from_long_ago(owner: Engine) -> None:
    """What a publisher drops: counted reports of a month that is out, and cells of a day so far that is closed."""
    owner.command(f"INSERT INTO private.counted (counted_on) VALUES ('{LONG_AGO}')")
    owner.command(f"INSERT INTO public.cells (grain, period) VALUES ('so_far_12', '{LONG_AGO}')")


def test_a_month_from_the_spool_to_a_reader(
    engines: dict[str, Engine], configuration: Configuration, tmp_path: Path
) -> None:
    """Loaded as ingest, closed, released and expired as publisher, read as reports: each with its own user."""
    days = [FIRST + n * ONE for n in range((LAST - FIRST).days + 2)]
    ingest, publisher, reports = engines["ingest"], engines["publisher"], engines["reports"]
    demand_current(ingest)
    loader = loader_of(ingest, tmp_path, days, boots=300, runs=150)
    assert loader.load_sealed() == loaded_rows(ingest) == len(days) * 450
    nodes.note(ingest, "a-node", days[-1], 0)
    left_from_long_ago(engines["owner"])
    demand_current(publisher)

    def has_loaded_past(day: dt.date) -> bool:
        return not nodes.lagging(publisher, day)

    publishing = publisher_on(publisher, configuration, has_loaded_past=has_loaded_past)
    released = publishing.publish(LAST + ONE, LAST)
    assert {period.grain for period in released} == {"day", "week", "month"}
    publishing.publish_so_far(Period("so_far", LAST + ONE, 12))
    grains = dict(reports.rows("SELECT grain, uniqExact(period) FROM public.cells FINAL GROUP BY grain"))
    weeks = len({day for day in days if day.isoweekday() == 7 and day <= LAST})
    assert grains == {"day": len(days) - 1, "week": weeks, "month": 1, "so_far_12": 1}
    assert publisher.rows("SELECT min(counted_on) FROM private.counted") == [(FIRST,)], "what is older has expired"
    for engine in (ingest, publisher):
        now = dt.datetime.combine(LAST + ONE, dt.time(13), dt.UTC)
        state = status(engine, loader, now, 30, dropped=0, simulated=False)
        assert (state["store"], state["loaded"], state["last_closed"]) == ("ok", len(days) * 450, LAST.isoformat())

    held = sum(content.rows for content in contents(engines["owner"]).values())
    assert back_up(publisher, tmp_path) == held

    assert last_closed(reports) == LAST
    question = read_question({"product": "installbuilder", "grain": "month"})
    answer = usage(Released(reports), configuration.menu, question, simulated=False)
    assert [cell["product"] for cell in answer["cells"]] == ["installbuilder"]
    assert Released(reports).releases(3)


def test_publisher_takes_over_a_lease_and_gives_back_what_was_claimed(
    engines: dict[str, Engine], configuration: Configuration
) -> None:
    publisher, owner = engines["publisher"], engines["owner"]
    first = publisher_on(publisher, configuration)
    first.lease.hold()
    second = publisher_on(publisher, configuration, lease=Lease(publisher, "another"))
    with pytest.raises(HeldByAnotherError):
        second.publish(DAY + ONE, DAY)
    publisher_on(publisher, configuration, lease=Lease(publisher, "another", lasts_seconds=-1)).lease.hold()
    owner.insert(
        "private.reports", list(row()), [list(row(day).values()) for day in (DAY, DAY + ONE) for _ in range(9)]
    )
    second.publish(DAY + ONE, DAY)
    # What a kill leaves: a claim, and tables of tries that did not end.
    owner.command(f"CREATE TABLE private.closing_{DAY:%Y_%m_%d} AS private.reports")
    owner.command(f"INSERT INTO private.closing_{DAY:%Y_%m_%d} SELECT * FROM private.reports")
    owner.command("CREATE TABLE private.drawing_0 AS public.cells")
    owner.command("CREATE TABLE private.counting_0 AS private.counted")
    second.publish(DAY + 2 * ONE, DAY + ONE)
    second.lease.give_up()
    left = owner.rows(
        "SELECT name FROM system.tables WHERE database = 'private' "
        "AND match(name, '^(closing|counting|draw|publishing)')"
    )
    assert left == []
    assert owner.rows("SELECT count(), uniqExact(report_id) FROM private.counted") == [(18, 18)]


def test_owner_migrates_and_the_others_look_whether_it_did(engines: dict[str, Engine]) -> None:
    owner = engines["owner"]
    newest = migrations()[-1].version
    for user in ("ingest", "publisher"):
        demand_current(engines[user])
        assert max(applied(engines[user])[0]) == newest
    owner.command(f"ALTER TABLE private.migrations DELETE WHERE version = {newest} SETTINGS mutations_sync = 1")
    for user in ("ingest", "publisher"):
        with pytest.raises(EngineError) as refused:
            migrate(engines[user], DAY)
        assert refused.value.code == ACCESS_DENIED
    assert [step.version for step in migrate(owner, DAY)] == [newest]


@pytest.mark.parametrize("user", ["owner", "reports"])
def test_dashboard_writes_its_exports(engines: dict[str, Engine], user: str) -> None:
    packed = Released(engines[user]).packed({"product": "String"}, [{"product": "x" * 300_000}], "Parquet")
    assert packed.startswith(b"PAR1")


def test_each_does_its_work_on_a_cluster(
    guarded_cluster: Cluster, configuration: Configuration, tmp_path: Path
) -> None:
    """With the same files on both shards: the tables over all shards need no grant for remote servers."""
    owner, ingest, publisher, reports = (
        engine_over(guarded_cluster, user) for user in ("owner", "ingest", "publisher", "reports")
    )
    migrate(owner, DAY)
    demand_current(ingest)
    demand_current(publisher)
    loader = loader_of(ingest, tmp_path, [LAST, LAST + ONE], boots=400)
    assert loader.load_sealed() == 800
    assert all(int(server.ask("SELECT count() FROM private.reports")[0][0]) > 300 for server in guarded_cluster.servers)
    publishing = publisher_on(publisher, configuration)
    released = publishing.publish(LAST + ONE, LAST)
    assert {period.grain for period in released} == {"day", "month"}
    publishing.publish_so_far(Period("so_far", LAST + ONE, 12))
    assert back_up(publisher, tmp_path) == sum(content.rows for content in contents(owner).values())
    assert {grain for (grain,) in reports.rows("SELECT DISTINCT grain FROM public.cells")} >= {
        "day",
        "month",
        "so_far_12",
    }
    _nobody_reaches_around(publisher)
    for engine in (owner, ingest, publisher, reports):
        engine.close()


def _nobody_reaches_around(publisher: Engine) -> None:
    """Through a table over all shards its maker may do on each what it may do there: the shards share a secret."""
    around = "private.counting_around"
    publisher.command(
        f"CREATE TABLE {around} (quarter String, fingerprint String, noted_on Date) "
        "ENGINE = Distributed('telemetry', 'private', 'peppers', rand())"
    )
    for statement in (
        f"INSERT INTO {around} VALUES ('2026-Q4', 'x', '2026-09-01')",
        f"INSERT INTO {around} SETTINGS prefer_localhost_replica = 0 VALUES ('2026-Q4', 'x', '2026-09-01')",
    ):
        with pytest.raises(EngineError) as refused:
            publisher.command(statement)
        assert refused.value.code == ACCESS_DENIED


def test_owner_erases_and_purges_and_nobody_else_does(engines: dict[str, Engine]) -> None:
    gone = uuid.UUID("6f1b3c52-8d7e-4a90-b1c4-52e07d9a3f18")
    owner = engines["owner"]
    receive(owner, [run_row(licence=gone), row()])
    for user in ("ingest", "publisher"):
        with pytest.raises(EngineError) as refused:
            erase(engines[user], [str(gone)], lambda: None)
        assert refused.value.code == ACCESS_DENIED
    assert blank(owner, "language", ["vm"], lambda: None) == 1
    assert erase(owner, [str(gone)], Lease(owner, owner.name).hold).rows == 1
    assert owner.rows("SELECT language FROM private.reports") == [("",)]
    assert owner.rows("SELECT name FROM system.parts WHERE table = 'reports' AND NOT active") == []
