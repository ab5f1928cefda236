"""What the shipped users may do, no more and no less."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.clickhouse.guarded import SHIPPED, USERS, password
from tests.clickhouse_server import ClickHouseServer

GOLDEN = Path(__file__).parent / "grants.golden"
# Statement -> who may. `{n}` is another number each time.
WORK = {
    "SELECT count() FROM private.reports": {"owner", "publisher"},
    "SELECT count() FROM private.counted": {"owner", "publisher"},
    "SELECT count() FROM private.loads": {"owner", "publisher", "ingest"},
    "SELECT count() FROM private.nodes": {"owner", "publisher", "ingest"},
    "SELECT count() FROM private.peppers": {"owner", "publisher", "ingest"},
    "SELECT count() FROM private.migrations": {"owner", "publisher", "ingest"},
    "SELECT count() FROM public.cells": {"owner", "publisher", "ingest", "reports"},
    "SELECT count() FROM public.menus": {"owner", "publisher", "ingest", "reports"},
    "SELECT count() FROM system.processes": {"owner", "publisher", "ingest"},
    "SELECT count() FROM system.parts": {"owner"},
    "INSERT INTO private.reports (product) VALUES ('x')": {"owner", "publisher", "ingest"},
    "INSERT INTO private.counted (product) VALUES ('x')": {"owner", "publisher"},
    "INSERT INTO private.loads (segment) VALUES ('x')": {"owner", "publisher", "ingest"},
    "INSERT INTO private.migrations (version) VALUES (0)": {"owner", "publisher"},
    "INSERT INTO public.cells (grain) VALUES ('x')": {"owner", "publisher"},
    "CREATE TABLE private.made_{n} AS private.reports": {"owner", "publisher"},
    "CREATE TABLE public.made_{n} AS public.cells": {"owner"},
    "CREATE DATABASE made_{n}": set(),
    "CREATE TABLE private.out_{n} (a UInt8) ENGINE = URL('http://127.0.0.1:1', 'TSV')": set(),
    "CREATE TABLE private.file_{n} (a UInt8) ENGINE = File('TSV')": set(),
    "ALTER TABLE public.cells DROP PARTITION '1999'": {"owner", "publisher"},
    "ALTER TABLE public.cells ADD COLUMN IF NOT EXISTS value UInt64": {"owner"},
    "ALTER TABLE private.reports DELETE WHERE 0": {"owner", "publisher"},
    "ALTER TABLE private.reports MODIFY SETTING fsync_after_insert = 1": {"owner"},
    "TRUNCATE TABLE private.counted": {"owner"},
    "OPTIMIZE TABLE public.cells": {"owner"},
    "SYSTEM FLUSH LOGS": set(),
    "CREATE USER made_{n}": set(),
    "GRANT SELECT ON private.reports TO reports": set(),
    "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')": set(),
    "SELECT * FROM remote('127.0.0.1:1', private.reports)": set(),
    "SHOW ACCESS": set(),
    "DROP TABLE public.menus": {"owner"},
    "DROP TABLE private.loads": {"owner", "publisher"},
}


def test_grants_are_the_golden_ones(store: ClickHouseServer) -> None:
    """After a change that is meant: run it with UPDATE_GOLDEN=1 and read the difference."""
    shown = "".join(sorted_grants(store, user) for user in USERS)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(shown, encoding="utf-8")
    assert shown == GOLDEN.read_text(encoding="utf-8")


def sorted_grants(server: ClickHouseServer, user: str) -> str:
    # FINAL: what a role brings is among them.
    done, text = server.answer("SHOW GRANTS FINAL", user, password(user))
    assert done, text
    return f"-- {user}\n" + "".join(f"{line}\n" for line in sorted(text.splitlines())) + "\n"


@pytest.mark.parametrize("user", ["owner", "ingest", "publisher", "reports"])
def test_each_may_do_its_own_work_and_nobody_elses(store: ClickHouseServer, user: str) -> None:
    found = {}
    for number, statement in enumerate(WORK):
        done, text = store.answer(statement.replace("{n}", f"{user}_{number}"), user, password(user))
        found[statement] = (done, "" if done else text)
    wrong = {
        statement: text or "was done" for statement, (done, text) in found.items() if done != (user in WORK[statement])
    }
    assert wrong == {}


def test_a_person_is_what_the_dashboard_is_but_for_the_quota(store: ClickHouseServer) -> None:
    grants = {user: sorted_grants(store, user).replace(user, "") for user in ("reports", "example_person")}
    assert grants["reports"] == grants["example_person"]
    text = (SHIPPED / "users.d/telemetry.xml").read_text(encoding="utf-8")
    readers = ("reports", "example_person")
    profiles = [re.search(rf"<{user}>.*?<profile>(\w+)</profile>", text, re.DOTALL) for user in readers]
    assert {match and match[1] for match in profiles} == {"telemetry_reader"}


def test_users_of_the_statements_are_those_of_the_file() -> None:
    """access.sql is for servers whose users are made by statements; it may not drift from what the tests hold."""
    file = (SHIPPED / "users.d/telemetry.xml").read_text(encoding="utf-8")
    statements = (SHIPPED / "access.sql").read_text(encoding="utf-8")
    of_file = set()
    for section in re.findall(r"<(owner|ingest|publisher|reports|pm)>(.*?)</\1>", file, re.DOTALL):
        of_file |= {f"{grant} TO {section[0]}" for grant in re.findall(r"<query>(GRANT .*?)</query>", section[1])}
    of_statements = {line.rstrip(";") for line in statements.splitlines() if line.startswith("GRANT")}
    assert of_statements == of_file


def test_no_password_is_in_the_shipped_files() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SHIPPED.rglob("*") if path.is_file())
    assert not re.search(r"<password>[^<]", text)
    assert not re.search(r"<password_sha256_hex>[^<]", text)
    assert not re.search(r"BY '[^'.]+'", text)
