"""Every query of the Grafana dashboard, on a real ClickHouse server, as the user that the shipped files make."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from collector.configuration import Configuration
from collector.publish.periods import Period
from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine
from tests.clickhouse_server import ClickHouseServer, NotAvailableError
from tests.conftest import PROJECT, missing
from tests.publishers import publisher_on
from tests.sample_days import ONE, receive, row, run_row

GRAFANA = PROJECT / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "product-telemetry.json").read_text("utf-8"))
PASSWORD = uuid.uuid4().hex
FIRST, LAST = dt.date(2026, 9, 1), dt.date(2026, 10, 31)
NOT_ALLOWED, READONLY = 497, 164
# What a user may not see is not there for that user.
NO_SUCH_TABLE, NO_TABLES = 60, 636

# What a person may choose in the dashboard's variables.
CHOICES = [
    {"measure": "boots", "grain": "day", "product": "wordpress", "by": "product_version"},
    {"measure": "boots", "grain": "week", "product": "wordpress", "by": "os_version"},
    {"measure": "boots", "grain": "month", "product": "wordpress", "by": "instance_type"},
    {"measure": "runs", "grain": "month", "product": "installbuilder", "by": "language"},
    {"measure": "licences", "grain": "month", "product": "installbuilder", "by": "product_version"},
]


def targets() -> list[dict[str, Any]]:
    """Every query of a panel."""
    return [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def variables() -> dict[str, str]:
    """The queries that fill the dashboard's variables, by name."""
    return {v["name"]: v["query"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"}


def plain(sql: str, chosen: dict[str, str]) -> str:
    """The SQL that Grafana and its data source send for these choices and the whole time of the sample.

    `${name:singlequote}` becomes the chosen value as a string literal, `$__dateFilter(column)` the condition that
    the data source documents. Anything else with a dollar is something that this dashboard does not use.
    """
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda m: "'" + chosen[m[1]].replace("'", r"\'") + "'", sql)
    sql = re.sub(
        r"\$__dateFilter\((\w+)\)", lambda m: f"({m[1]} >= toDate('{FIRST}') AND {m[1]} <= toDate('{LAST}'))", sql
    )
    assert "$" not in sql, sql
    return sql


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, configuration: Configuration) -> Iterator[ClickHouseServer]:
    """A server of its own with the shipped user, and two released months in it."""
    server = ClickHouseServer(tmp_path_factory.mktemp("grafana"))
    for source, target in (("users.xml", "users.d"), ("config.xml", "config.d")):
        (server.directory / target).mkdir()
        shutil.copy(GRAFANA / "clickhouse" / source, server.directory / target / "product-managers.xml")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PM_PASSWORD", PASSWORD)
        try:
            server.start()
        except NotAvailableError as error:
            missing(str(error))
    try:
        _release(server, configuration)
        yield server
    finally:
        server.kill()


def _release(server: ClickHouseServer, configuration: Configuration) -> None:
    engine = ServerEngine(Address(server.url(), server.password_file, 20), "tests")
    migrate(engine, LAST)
    days = (FIRST, FIRST + 20 * ONE, LAST - 6 * ONE, LAST - ONE, LAST)
    rows = [
        row(day, product_version=version, instance_type="t3.micro")
        for day in days
        for version in ("6.4.2", "6.5.0")
        for _ in range(150)
    ]
    holders = [uuid.UUID(int=n + 1) for n in range(300)]
    rows += [run_row(day, licence=holder) for day in days for holder in holders]
    rows += [run_row(day, language="ja") for day in days for _ in range(200)]
    receive(engine, rows)
    publisher = publisher_on(engine, configuration, keep_after_release_days=200)
    publisher.publish(LAST + ONE, LAST)
    receive(engine, [row(LAST + ONE, product_version="6.5.0") for _ in range(400)])
    publisher.publish_so_far(Period("so_far", LAST + ONE, 12))
    engine.close()


def ask(server: ClickHouseServer, sql: str, **settings: str) -> dict[str, Any]:
    """The answer to `pm`, as Grafana's data source asks it: a setting comes with each query."""
    parameters = urlencode({"default_format": "JSON", "max_execution_time": "60"} | settings)
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/?{parameters}",
        sql.encode(),
        {"X-ClickHouse-User": "pm", "X-ClickHouse-Key": PASSWORD},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def refused(server: ClickHouseServer, sql: str, **settings: str) -> int:
    """The code with which `pm` is refused."""
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(server, sql, **settings)
    with error.value as answer:
        found = re.search(rb"Code: (\d+)\.", answer.read())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: f"{chosen['measure']}-{chosen['grain']}")
def test_every_query_of_the_dashboard_returns_rows_to_a_product_manager(
    server: ClickHouseServer, chosen: dict[str, str]
) -> None:
    assert len(targets()) >= 6
    for target in targets():
        answer = ask(server, plain(target["rawSql"], chosen))
        if "so_far" not in target["rawSql"] or "NOT startsWith" in target["rawSql"] or chosen["measure"] == "boots":
            assert answer["rows"] > 0, target["rawSql"]
        types = {column["name"]: column["type"] for column in answer["meta"]}
        if target["queryType"] == "timeseries":
            assert target["format"] == 0
            assert types["time"] == "DateTime('UTC')"
        else:
            assert (target["queryType"], target["format"]) == ("table", 1)


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: f"{chosen['measure']}-{chosen['grain']}")
def test_variables_offer_what_is_published(server: ClickHouseServer, chosen: dict[str, str]) -> None:
    for name, sql in variables().items():
        offered = [next(iter(one.values())) for one in ask(server, plain(sql, chosen))["data"]]
        assert chosen[name] in offered
        assert not [value for value in offered if "+" in value or not value]


def test_numbers_are_the_published_ones_and_never_without_their_error(server: ClickHouseServer) -> None:
    chosen = CHOICES[2]
    for target in targets():
        if target["queryType"] != "table" or "public.cells" not in target["rawSql"]:
            continue
        answer = ask(server, plain(target["rawSql"], chosen))
        assert "95 % error" in {column["name"] for column in answer["meta"]}
    assert not [t for t in targets() if re.search(r"\b(sum|avg|count)\(", t["rawSql"])], "cells do not add up"
    total = ask(server, plain(targets()[0]["rawSql"], chosen))["data"]
    cells = ask(
        server,
        "SELECT value, error FROM public.cells WHERE grain = 'month' AND measure = 'boots' AND "
        "breakdown = '' AND product = 'wordpress' ORDER BY period",
    )["data"]
    assert [(t["count"], t["lower"], t["upper"]) for t in total] == [
        (c["value"], c["value"] - c["error"], c["value"] + c["error"]) for c in cells
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count() FROM private.reports",
        "SELECT count() FROM private.counted",
        "SELECT count() FROM system.query_log",
        "SELECT count() FROM system.parts",
        "SELECT query FROM system.processes",
        "SELECT count() FROM information_schema.tables",
        "SELECT * FROM url('http://127.0.0.1:9/', CSV, 'a String')",
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT * FROM remote('127.0.0.1', private.reports)",
        "SELECT * FROM merge('private', '.*')",
        "INSERT INTO public.cells (value) VALUES (1)",
        "DROP TABLE public.cells",
        "CREATE TABLE public.mine (a UInt8) ENGINE = Memory",
    ],
)
def test_product_manager_can_do_nothing_else(server: ClickHouseServer, sql: str) -> None:
    assert refused(server, sql) in {NOT_ALLOWED, READONLY, NO_SUCH_TABLE, NO_TABLES}


def test_what_is_refused_is_there_to_be_refused(server: ClickHouseServer) -> None:
    """Otherwise the refusals above would prove nothing."""
    for table in ("private.counted", "system.parts", "system.processes", "information_schema.tables"):
        (rows,) = server.ask(f"SELECT count() FROM {table}")
        assert int(rows[0]) > 0, table
        assert refused(server, f"SELECT count() FROM {table}") == NOT_ALLOWED


def test_only_the_time_limit_may_be_changed_and_within_bounds(server: ClickHouseServer) -> None:
    assert refused(server, "SELECT 1", readonly="0") == READONLY
    assert refused(server, "SELECT 1", max_memory_usage="0") == READONLY
    assert refused(server, "SELECT 1", max_execution_time="100000") not in {NOT_ALLOWED, NO_SUCH_TABLE}
    ask(server, "SELECT 1")


def test_dashboard_and_provisioning_name_the_same_source() -> None:
    source = (GRAFANA / "provisioning/datasources/product-telemetry.yaml").read_text("utf-8")
    assert "uid: product-telemetry" in source
    assert "username: pm" in source
    uids = {t["datasource"]["uid"] for t in targets()} | {
        v["datasource"]["uid"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"
    }
    assert uids == {"product-telemetry"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    readme = (GRAFANA / "README.md").read_text("utf-8")
    for path in re.findall(r"\]\((\S+?)\)|cp (\S+)", readme):
        assert (GRAFANA / Path("".join(path))).exists(), path
