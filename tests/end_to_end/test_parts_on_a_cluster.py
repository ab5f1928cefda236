"""A collector in parts, on three shards, each part with a database user of its own.

    client -> ingest (two machines) -> cluster -> publish -> a product manager's login, the dashboard, `usage`

and the cells are those of one embedded engine that was given the same fleet, byte for byte.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.layout import layout
from collector.local_commands import last_due
from collector.settings import Settings
from collector.simulate.run import Plan, send
from collector.store.engine import open_embedded
from collector.store.loader import Loader
from collector.store.migrate import migrate
from tests.clickhouse.guarded import engine_over, guarded_shard, password, password_file
from tests.cluster import Cluster
from tests.conftest import Server, collector, running, started
from tests.end_to_end.test_life import client
from tests.machine_choice import skip_where_the_machine_says_off
from tests.publishers import publisher_on

# The long form of the same is `make test-cluster`.
REPORTS = int(os.environ.get("CLUSTER_REPORTS", "12000"))
SHARDS = 3
CELLS = "SELECT formatRow('TSV', *) FROM public.cells FINAL ORDER BY ALL"


@dataclass
class Site:
    """Everything that runs."""

    cluster: Cluster
    directory: Path
    last: dt.date
    nodes: list[Server]

    def options(self, user: str) -> list[str]:
        """Options of a part that asks the cluster as this user."""
        secret = password_file(self.cluster.entry, user)
        url = self.cluster.url(user)
        return ["--store-url", url, "--store-tables", "sharded", "--store-password-file", os.fspath(secret)]

    def everywhere(self, query: str) -> list[int]:
        """A number from each shard, asked by the tests' own user."""
        return [int(server.ask(query)[0][0]) for server in self.cluster.servers]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two machines that take reports, one of which has a fleet's past in its spool, on an empty cluster."""
    directory = tmp_path_factory.mktemp("site")
    last = last_due(dt.datetime.now(dt.UTC), 30)
    with ExitStack() as stack:
        cluster = stack.enter_context(started(Cluster(directory / "cluster", SHARDS, guarded_shard)))
        site = Site(cluster, directory, last, [])
        collector("migrate", "apply", "--data", str(directory / "owner"), *site.options("owner"))
        first, second = directory / "node-1", directory / "node-2"
        collector("pepper", "make", "--data", str(first))
        settings = Settings(data=second, rate_per_second=0)
        shutil.copytree(first / "secrets", layout(settings).secrets, dirs_exist_ok=True)
        # So many days that a month ends among them.
        send(Plan(last, last.day + 2, REPORTS, 7, None), settings)
        shutil.copytree(second / "spool", directory / "spool-of-the-fleet")
        for data in (first, second):
            site.nodes.append(stack.enter_context(running(data, *site.options("ingest"), verb="ingest")))
        yield site


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def counting_secrets() -> Callable[[], bytes]:
    numbers = itertools.count()
    return lambda: hashlib.sha256(str(next(numbers)).encode()).digest()


def nodes_of(site: Site) -> list[dict]:
    listed = collector("nodes", "list", "--data", str(site.directory / "node-1"), "--format", "json")
    found: list[dict] = json.loads(listed.stdout)
    return found


@pytest.mark.only_with("CLUSTER")
def test_cells_are_those_of_an_embedded_engine(site: Site, configuration: Configuration) -> None:
    fleet = site.directory / "spool-of-the-fleet"
    embedded = open_embedded(site.directory / "embedded")
    migrate(embedded, site.last)
    rows = Loader(embedded, fleet, site.directory / "quarantine").load_sealed()
    wait_for(lambda: site.cluster.entry.ask("SELECT sum(rows) FROM private.loads FINAL") == [[str(rows)]])
    per_shard = site.everywhere("SELECT count() FROM private.reports")
    assert min(per_shard) > rows / SHARDS / 2, per_shard
    before = site.last - dt.timedelta(days=1)
    for engine in (embedded, engine_over(site.cluster, "publisher")):
        publisher = publisher_on(engine, configuration, new_secret=counting_secrets())
        released = publisher.publish(before + dt.timedelta(days=1), before)
        assert {period.grain for period in released} >= {"day", "week", "month"}
        publisher.lease.give_up()
    done, seen = site.cluster.entry.answer(CELLS, "example_person", password("example_person"))
    assert done, seen
    expected = "".join(cell for (cell,) in embedded.rows(CELLS))
    assert seen.replace("\\t", "\t").replace("\\n", "\n").replace("\n\n", "\n") == expected
    assert len(expected.splitlines()) > 100
    embedded.close()


def test_a_report_goes_through_all_parts(site: Site, tmp_path: Path) -> None:
    skip_where_the_machine_says_off()
    assert client(tmp_path, "on").returncode == 0
    today = dt.datetime.now(dt.UTC).date()
    product = ["--product", "wordpress", "--product-version", "6.4.2-0", "--source", "vm"]
    assert "accepted" in client(tmp_path, "send", "--url", site.nodes[0].ingest, *product).stdout
    wait_for(lambda: sum(site.everywhere(f"SELECT count() FROM private.reports WHERE received_on >= '{today}'")) == 1)
    with (
        running(tmp_path / "publish", *site.options("publisher"), verb="publish"),
        running(tmp_path / "reports", *site.options("reports"), verb="reports") as reports,
    ):
        released = f"SELECT count() FROM public.releases WHERE grain = 'day' AND period = '{site.last}' AND complete"
        wait_for(lambda: site.cluster.entry.ask(released) == [["1"]])
        asked = f"/v1/usage?product=wordpress&grain=day&from={site.last}&to={site.last}"
        (cell,) = json.loads(reports.ask(asked).read())["cells"]
    done, seen = site.cluster.entry.answer(
        f"SELECT value FROM public.cells WHERE grain = 'day' AND period = '{site.last}' AND product = 'wordpress' "
        "AND breakdown = '' AND measure = 'boots'",
        "example_person",
        password("example_person"),
    )
    assert done, seen
    assert int(seen) == cell["value"]
    shown = collector(
        *("usage", "--data", str(tmp_path / "reports"), *site.options("reports"), "--product", "wordpress"),
        *("--grain", "day", "--format", "json"),
    )
    assert json.loads(shown.stdout)["cells"][0]["value"] == cell["value"]


def test_a_person_sees_no_shard_and_nothing_private(site: Site) -> None:
    for server in site.cluster.servers:
        for table in ("private.reports", "private.all_reports", "private.counted", "private.all_counted"):
            done, text = server.answer(f"SELECT count() FROM {table}", "example_person", password("example_person"))
            assert not done, table
            assert "Code: 497" in text or "Code: 60" in text


def test_machine_with_another_pepper_is_not_let_in(site: Site, tmp_path: Path) -> None:
    collector("pepper", "make", "--data", str(tmp_path / "other"))
    options = [*site.options("ingest"), "--ingest-port", "0", "--metrics-port", "0"]
    done = collector("ingest", "--data", str(tmp_path / "other"), *options, check=False)
    assert done.returncode == 2
    assert "is not the one that this store's reports were made with" in done.stderr


def test_machine_without_a_pepper_says_how_to_get_one(site: Site, tmp_path: Path) -> None:
    done = collector("ingest", "--data", str(tmp_path / "none"), *site.options("ingest"), check=False)
    assert done.returncode == 2
    assert "collector pepper make" in done.stderr


def test_machine_that_leaves_says_so_once_its_spool_is_empty(site: Site) -> None:
    """The last one: afterwards one machine is left."""
    wait_for(lambda: len(nodes_of(site)) == 2)
    leaving = site.nodes[1]
    assert leaving.stop() == 0
    left = {node["name"]: node["has_left"] for node in nodes_of(site)}
    assert sorted(left.values()) == [False, True]
    assert not list((leaving.data / "spool").rglob("*.ndjson"))
