"""The statements of sql_attacks.py over HTTP, as a user who may read published cells alone.

That is `reports`: a person has the same role and profile (see test_grants.py), and a quota, which would refuse most.
"""

from __future__ import annotations

import urllib.parse

import pytest

from collector.configuration import Configuration
from tests.clickhouse.guarded import engine_of, password
from tests.clickhouse.sql_attacks import ALL, CANARY, TELLS_NAMES, WORKS_FOR_OWNER
from tests.clickhouse_server import ClickHouseServer
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row

READERS = ("example_person", "reports")
READONLY, CONSTRAINT, QUOTA_EXCEEDED = 164, 452, 201


@pytest.fixture(scope="module")
def filled(guarded_server: ClickHouseServer, configuration: Configuration) -> ClickHouseServer:
    """A server with published cells, and a canary in what is private."""
    from collector.store.migrate import migrate

    guarded_server.empty()
    owner = engine_of(guarded_server, "owner")
    migrate(owner, DAY)
    receive(owner, [row() for _ in range(200)] + [row(os_version=CANARY)])
    publisher_on(owner, configuration).publish(DAY + ONE, DAY)
    receive(owner, [row(DAY + ONE, os_version=CANARY)])
    owner.close()
    return guarded_server


def ask(server: ClickHouseServer, statement: str, user: str, parameters: str = "") -> tuple[bool, str]:
    return server.answer(statement.replace("{host}", f"127.0.0.1:{server.port}"), user, password(user), parameters)


def cells(server: ClickHouseServer) -> list[list[str]]:
    return server.ask("SELECT * FROM public.cells FINAL ORDER BY ALL")


def test_the_readers_may_read_what_is_published(filled: ClickHouseServer) -> None:
    for user in READERS:
        done, text = ask(filled, "SELECT count() FROM public.cells", user)
        assert (done, int(text)) == (True, len(cells(filled)))
        assert ask(filled, "SELECT value FROM public.cells WHERE product = 'wordpress' LIMIT 1", user)[0]
        assert ask(filled, "SELECT * FROM public.releases", user)[0]


@pytest.mark.parametrize("statement", ALL)
def test_attack_is_refused_or_answered_from_what_is_published(filled: ClickHouseServer, statement: str) -> None:
    done, text = ask(filled, statement, "reports")
    assert CANARY not in text.replace(statement, "").replace("'canary-os-9'", "")
    assert not done or text.strip() in {"", "0"} or statement in TELLS_NAMES, f"it was done: {text[:200]}"
    assert f"Code: {QUOTA_EXCEEDED}" not in text


@pytest.mark.parametrize("statement", sorted(WORKS_FOR_OWNER))
def test_owner_is_answered_so_that_a_refusal_is_one(filled: ClickHouseServer, statement: str) -> None:
    done, text = ask(filled, statement, "owner")
    assert done, text


def test_attacks_changed_nothing(filled: ClickHouseServer) -> None:
    before = cells(filled)
    for statement in ALL:
        ask(filled, statement, "reports")
    assert cells(filled) == before
    assert filled.answers()


def test_settings_in_the_address_are_held_as_those_in_the_statement(filled: ClickHouseServer) -> None:
    for setting in ("readonly=0", "max_memory_usage=0", "max_result_rows=0", "log_queries=1", "max_threads=99"):
        done, text = ask(filled, "SELECT 1", "reports", f"&{setting}")
        assert not done, setting
        assert f"Code: {CONSTRAINT}" in text or f"Code: {READONLY}" in text, text


def test_no_answer_tells_how_many_rows_are_private(filled: ClickHouseServer) -> None:
    """One more private report changes no answer to a reader: not a number, not a text, not a refusal."""
    asked = [
        statement for statement in ALL if statement.startswith(("SELECT", "EXPLAIN", "SHOW", "DESCRIBE", "EXISTS"))
    ]
    before = [ask(filled, statement, "reports") for statement in asked]
    owner = engine_of(filled, "owner")
    receive(owner, [row(DAY + ONE, os_version=f"{CANARY}9") for _ in range(1000)])
    owner.close()
    after = [ask(filled, statement, "reports") for statement in asked]
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == []


def test_quota_of_a_person_is_one(filled: ClickHouseServer) -> None:
    """The last test of this file: afterwards the person waits for a minute."""
    # The minute may end in between.
    texts = [ask(filled, "SELECT count() FROM public.cells", "example_person") for _ in range(700)]
    assert any(not done and f"Code: {QUOTA_EXCEEDED}" in text for done, text in texts)


def test_parameters_of_the_request_reach_nothing_private(filled: ClickHouseServer) -> None:
    query = urllib.parse.quote("SELECT * FROM {t:Identifier}.{r:Identifier}")
    done, text = ask(filled, "", "reports", f"&query={query}&param_t=private&param_r=reports")
    assert not done
    assert CANARY not in text
