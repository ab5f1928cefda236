"""The statements of sql_attacks.py over HTTP, as a user who may read published cells alone, and as the others.

The first is `reports`: a person has the same role and profile (see test_grants.py), and a quota, which would refuse
most.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.parse

import pytest

from collector.configuration import Configuration
from collector.store.migrate import migrate
from tests.clickhouse import sql_attacks
from tests.clickhouse.guarded import engine_of, password
from tests.clickhouse.sql_attacks import ALL, ANSWERED, CANARY, FOR_WANT_OF_A_RIGHT, REFUSED_OTHERWISE
from tests.clickhouse_server import ClickHouseServer
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row

READERS = ("example_person", "reports")
# The tables of `system` that every user may read: what the server can do, and what the user may see. A newer server may
# have more; look at what is in them before they are added.
OPEN_TABLES = {
    *("aggregate_function_combinators", "collations", "columns", "completions", "contributors", "current_roles"),
    *("data_type_families", "database_engines", "databases", "dictionary_layouts", "disk_types", "enabled_roles"),
    *("formats", "functions", "licenses", "one", "privileges", "quota_usage", "settings", "table_engines"),
    *("table_functions", "tables", "time_zones"),
}
# What makes rows of nothing. `sqlite` makes a file before it looks whether it may.
OPEN_FUNCTIONS = {
    *("SQLStandardValues", "fuzzQuery", "generateRandom", "null", "numbers", "numbers_mt", "primes", "values"),
}
ARGUMENTS = [
    *("", "private.reports", "private, reports", "'private', 'reports'", "'private', 'reports', 'x'"),
    *("'private', '.*'", "'telemetry', private.reports", "SELECT * FROM private.reports"),
]


@pytest.fixture(scope="module")
def filled(guarded_server: ClickHouseServer, configuration: Configuration) -> ClickHouseServer:
    """A server with published cells, and a canary in what is private."""
    guarded_server.empty()
    owner = engine_of(guarded_server, "owner")
    migrate(owner, DAY)
    receive(owner, [row() for _ in range(200)] + [row(os_version=CANARY)])
    publisher_on(owner, configuration).publish(DAY + ONE, DAY)
    receive(owner, [row(DAY + ONE, os_version=CANARY)])
    owner.close()
    return guarded_server


def ask(server: ClickHouseServer, statement: str, user: str, parameters: str = "") -> tuple[bool, str]:
    places = {"{host}": f"127.0.0.1:{server.port}", "{directory}": str(server.directory)}
    for place, there in places.items():
        statement = statement.replace(place, there)
    return server.answer(statement, user, password(user) if user != "default" else "", parameters)


def error_in(text: str) -> str:
    """The name of the error that an answer ends with."""
    found = re.findall(r"\(([A-Z_]+)\)(?: \(version|\s*$)", text)
    return found[-1] if found else ""


def cells(server: ClickHouseServer) -> list[list[str]]:
    return server.ask("SELECT * FROM public.cells FINAL ORDER BY ALL")


def test_the_readers_may_read_what_is_published(filled: ClickHouseServer) -> None:
    for user in READERS:
        done, text = ask(filled, "SELECT count() FROM public.cells", user)
        assert (done, int(text)) == (True, len(cells(filled)))
        assert ask(filled, "SELECT value FROM public.cells WHERE product = 'wordpress' LIMIT 1", user)[0]
        assert ask(filled, "SELECT * FROM public.releases", user)[0]
        assert ask(filled, "EXPLAIN ESTIMATE SELECT * FROM public.cells", user)[0]


@pytest.mark.parametrize("statement", ALL)
def test_attack_is_refused_for_want_of_a_right_or_answered_from_what_is_published(
    filled: ClickHouseServer, statement: str
) -> None:
    done, text = ask(filled, statement, "reports")
    assert CANARY not in text
    if done:
        assert text.strip() == ANSWERED.get(statement, "nothing: it was to be refused")
    elif statement in REFUSED_OTHERWISE:
        assert error_in(text) == REFUSED_OTHERWISE[statement]
    else:
        assert error_in(text) in FOR_WANT_OF_A_RIGHT, text


@pytest.mark.parametrize("statement", sql_attacks.WORKS_FOR_OTHERS)
def test_somebody_who_may_is_answered(filled: ClickHouseServer, statement: str) -> None:
    """So that a refusal is one: the owner of the tables, or the server's administrator."""
    assert any(ask(filled, statement, user)[0] for user in ("owner", "default"))


def test_the_canary_is_where_an_attack_would_find_it(filled: ClickHouseServer) -> None:
    for statement in ("SELECT * FROM private.reports", "SELECT os_version FROM private.counted"):
        assert CANARY in ask(filled, statement, "owner")[1]
    assert CANARY in ask(filled, "SELECT toUInt8(os_version) FROM private.reports", "owner")[1], "errors quote values"
    plan = "EXPLAIN QUERY TREE SELECT (SELECT max(os_version) FROM private.counted WHERE os_version LIKE 'canary%')"
    assert CANARY in ask(filled, plan, "owner")[1]


@pytest.mark.parametrize("user", ["owner", "publisher", "ingest"])
def test_no_user_of_the_collector_reaches_outside_or_has_power(filled: ClickHouseServer, user: str) -> None:
    for statement in [*sql_attacks.OUTSIDE, *sql_attacks.POWER]:
        assert not ask(filled, statement, user)[0], statement


def test_ingest_reads_no_report(filled: ClickHouseServer) -> None:
    """It may see that tables are there; of what is in them it gets nothing, and changes nothing but by an insert."""
    done = set()
    for statement in [*sql_attacks.READS, *sql_attacks.CHANGES]:
        was_done, text = ask(filled, statement, "ingest")
        assert CANARY not in text, statement
        if was_done and not statement.startswith(("SHOW", "DESCRIBE TABLE", "EXISTS", "USE", "EXPLAIN SYNTAX")):
            done.add(statement)
    assert done == {
        "SELECT hasColumnInTable('private', 'reports', 'os_version')",
        "SELECT * FROM viewIfPermitted(SELECT os_version FROM private.reports ELSE null('os_version String'))",
        "INSERT INTO private.reports (product) VALUES ('x')",
        "SELECT * FROM public.menus WHERE (fingerprint, menu, today()) IN private.peppers",  # which it may read
    }


def test_attacks_changed_nothing(filled: ClickHouseServer) -> None:
    before = cells(filled)
    for statement in ALL:
        ask(filled, statement, "reports")
    assert before
    assert cells(filled) == before
    assert filled.answers()


def test_no_table_of_the_server_is_open_beyond_those_known(filled: ClickHouseServer) -> None:
    names = [name for (name,) in filled.ask("SELECT name FROM system.tables WHERE database = 'system'")]
    found = {name: ask(filled, f"SELECT * FROM system.{name} LIMIT 10000", "reports") for name in names}
    assert {name for name, (done, _) in found.items() if done} == OPEN_TABLES
    assert not [name for name, (_, text) in found.items() if CANARY in text]
    assert len(names) > len(OPEN_TABLES) + 50


def test_no_table_function_gives_more_than_it_is_given(filled: ClickHouseServer) -> None:
    names = {name for (name,) in filled.ask("SELECT name FROM system.table_functions")} - {"sqlite"}
    done = set()
    for name in names:
        for arguments in ARGUMENTS:
            was_done, text = ask(filled, f"SELECT * FROM {name}({arguments}) LIMIT 1", "reports")
            assert CANARY not in text, (name, arguments)
            if was_done:
                done.add(name)
    assert done <= OPEN_FUNCTIONS
    assert len(names) > len(OPEN_FUNCTIONS) + 50
    assert filled.answers()


@pytest.mark.parametrize(
    "setting", ["readonly=0", "max_memory_usage=0", "max_result_rows=0", "final=0", "log_queries=1"]
)
def test_settings_in_the_address_are_held_as_those_in_the_statement(filled: ClickHouseServer, setting: str) -> None:
    done, text = ask(filled, "SELECT 1", "reports", f"&{setting}")
    assert not done
    assert error_in(text) in FOR_WANT_OF_A_RIGHT


def test_another_profile_frees_nobody(filled: ClickHouseServer) -> None:
    """Whoever is logged in may name another profile: what it does not say stays, bounds and all."""
    for session, profile in enumerate(("default", "telemetry_collector", "telemetry_reader")):
        within = f"&session_id=profiles-{session}"
        ask(filled, f"SET profile = '{profile}'", "reports", within)
        for statement in sql_attacks.SETTINGS:
            done, _ = ask(filled, statement, "reports", within)
            assert not done, (profile, statement)
        for setting in ("&profile=" + profile + "&max_memory_usage=0", "&profile=" + profile + "&readonly=0"):
            assert not ask(filled, "SELECT 1", "reports", setting)[0]
        assert not ask(filled, "SELECT * FROM private.reports", "reports", within)[0]


def test_what_drivers_and_dashboards_set_is_taken(filled: ClickHouseServer) -> None:
    for setting in ("max_execution_time=10", "max_result_rows=1000", "max_block_size=8192", "wait_end_of_query=1"):
        assert ask(filled, "SELECT count() FROM public.cells", "reports", f"&{setting}")[0], setting


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT count() FROM numbers(10000000000)", "TOO_MANY_ROWS"),
        ("SELECT number FROM numbers(10000001)", "TOO_MANY_ROWS_OR_BYTES"),
        (
            "SELECT sleepEachRow(0.1) FROM numbers(40) SETTINGS max_execution_time = 1, max_block_size = 1",
            "TIMEOUT_EXCEEDED",
        ),
    ],
)
def test_a_reader_does_not_take_the_server_from_others(filled: ClickHouseServer, statement: str, error: str) -> None:
    done, text = ask(filled, statement, "reports", "&default_format=Null" if error == "TOO_MANY_ROWS_OR_BYTES" else "")
    assert not done
    assert error in text[-2000:]


def test_nobody_sees_or_ends_statements_of_others(filled: ClickHouseServer) -> None:
    slow = "SELECT sleepEachRow(0.05) FROM numbers(20) SETTINGS max_block_size = 1"
    asked = threading.Thread(target=ask, args=(filled, slow, "owner", "&query_id=of-owner"))
    asked.start()
    running = "SELECT count() FROM system.processes WHERE query_id = 'of-owner'"
    deadline = time.monotonic() + 10
    while filled.ask(running) == [["0"]]:
        assert time.monotonic() < deadline
    for user in ("reports", "ingest", "publisher"):
        ask(filled, "KILL QUERY WHERE query_id = 'of-owner' SYNC", user)
        done, text = ask(filled, "SELECT query_id, query FROM system.processes", user)
        assert "of-owner" not in text
        assert done == (user != "reports")
    assert filled.ask(running) == [["1"]]
    asked.join()


def test_no_answer_tells_how_many_rows_are_private(filled: ClickHouseServer) -> None:
    """More private reports change no answer to a reader: not a number, not a text, not a refusal."""

    def answers() -> list[tuple[str, bool, str]]:
        found = [(statement, *ask(filled, statement, "reports")) for statement in ALL]
        return [(statement, done, re.sub(r"_subquery\d+", "_subquery", text)) for statement, done, text in found]

    before = answers()
    owner = engine_of(filled, "owner")
    receive(owner, [row(DAY + ONE, os_version=f"{CANARY}9") for _ in range(1000)])
    owner.close()
    assert [(a, b) for a, b in zip(before, answers(), strict=True) if a != b] == []


def test_parameters_of_the_request_reach_nothing_private(filled: ClickHouseServer) -> None:
    query = urllib.parse.quote("SELECT * FROM {t:Identifier}.{r:Identifier}")
    done, text = ask(filled, "", "reports", f"&query={query}&param_t=private&param_r=reports")
    assert (done, error_in(text)) == (False, "ACCESS_DENIED")
    for parameter in ("role=owner", "user=owner", "user=default&password="):
        assert not ask(filled, "SELECT * FROM public.cells", "reports", f"&{parameter}")[0], parameter
    assert not ask(filled, "SELECT * FROM reports", "reports", "&database=private")[0]
    assert CANARY not in ask(filled, "SELECT * FROM reports", "reports", "&database=private&stacktrace=1")[1]


def test_cells_that_were_put_in_twice_are_read_once(filled: ClickHouseServer) -> None:
    """A publisher that was killed puts them in again; people's queries need not know."""
    once = len(cells(filled))
    filled.ask("SYSTEM STOP MERGES public.cells")
    filled.ask("INSERT INTO public.cells SELECT * FROM public.cells")
    assert filled.ask("SELECT count() FROM public.cells") != [[str(once)]]
    for user in READERS:
        assert ask(filled, "SELECT count() FROM public.cells", user) == (True, f"{once}\n")
    filled.ask("SYSTEM START MERGES public.cells")


def test_quota_of_a_person_is_one(filled: ClickHouseServer) -> None:
    """The last test of this file: afterwards the person waits for a minute."""
    for _ in range(700):  # the minute may end in between
        done, text = ask(filled, "SELECT count() FROM public.cells", "example_person")
        if not done:
            break
    assert error_in(text) == "QUOTA_EXCEEDED"
