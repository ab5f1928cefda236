"""What the shipped users may do, no more and no less."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import pytest

from tests.clickhouse.guarded import SHIPPED, USERS, password
from tests.clickhouse_server import ClickHouseServer

GOLDEN = Path(__file__).parent / "grants.golden"
FILE = (SHIPPED / "users.d/telemetry.xml").read_text(encoding="utf-8")
# Statement -> who may. `{n}` is another number each time.
WORK = {
    # Reading.
    "SELECT count() FROM private.reports": {"owner", "publisher"},
    "SELECT count() FROM private.counted": {"owner", "publisher"},
    "SELECT count() FROM private.loads": {"owner", "publisher", "ingest"},
    "SELECT count() FROM private.nodes": {"owner", "publisher", "ingest"},
    "SELECT count() FROM private.peppers": {"owner", "publisher", "ingest"},
    "SELECT count() FROM private.migrations": {"owner", "publisher", "ingest"},
    "SELECT count() FROM public.cells": {"owner", "publisher", "ingest", "reports"},
    "SELECT count() FROM public.releases": {"owner", "publisher", "ingest", "reports"},
    "SELECT count() FROM public.menus": {"owner", "ingest", "publisher", "reports"},
    "SELECT query FROM system.processes": {"owner", "publisher", "ingest"},
    "SELECT address FROM system.processes": set(),
    "SELECT count() FROM system.clusters": {"owner"},
    "SELECT name FROM system.parts WHERE NOT active": {"owner"},
    "SELECT path FROM system.parts": set(),
    "SELECT count(table) FROM system.detached_parts WHERE database = 'private'": {"owner"},
    "SELECT name FROM system.detached_parts": set(),
    "SELECT * FROM system.mutations": set(),
    # Putting in.
    "INSERT INTO private.reports (product) VALUES ('x')": {"owner", "publisher", "ingest"},
    "INSERT INTO private.counted (product) VALUES ('x')": {"owner", "publisher"},
    "INSERT INTO private.loads (segment) VALUES ('x')": {"owner", "ingest"},
    "INSERT INTO private.nodes (node) VALUES ('x')": {"owner", "ingest"},
    "INSERT INTO private.peppers (quarter) VALUES ('x')": {"owner", "ingest"},
    "INSERT INTO private.migrations (version) VALUES (0)": {"owner"},
    "INSERT INTO public.cells (grain) VALUES ('x')": {"owner", "publisher"},
    "INSERT INTO public.releases (grain) VALUES ('x')": {"owner", "publisher"},
    "INSERT INTO public.menus (menu) VALUES ('x')": {"owner", "publisher"},
    # The publisher's own tables, in every way that it uses them, and no others.
    "CREATE TABLE private.closing_{n} AS private.reports": {"owner", "publisher"},
    "CREATE TABLE private.counting_{n} AS private.counted": {"owner", "publisher"},
    "CREATE TABLE private.drawing_{n} AS public.cells COMMENT 'x'": {"owner", "publisher"},
    "CREATE TABLE private.publishing_{n} (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a": {"owner", "publisher"},
    "CREATE TABLE private.migrating_{n} (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a": {"owner"},
    "CREATE TABLE private.made_{n} AS private.reports": {"owner"},
    "CREATE TABLE public.made_{n} AS public.cells": {"owner"},
    "CREATE TABLE public.drawn_{n} AS public.cells": {"owner"},
    # Who may make a table may make a view of its name; it shows its reader nothing more than the reader may see.
    "CREATE VIEW private.closing_view_{n} AS SELECT 1": {"owner", "publisher"},
    "CREATE VIEW private.view_{n} AS SELECT 1": {"owner"},
    "CREATE VIEW private.closing_as_{n} DEFINER = owner SQL SECURITY DEFINER AS SELECT 1": {"owner"},
    "CREATE VIEW private.closing_none_{n} SQL SECURITY NONE AS SELECT 1": set(),
    "CREATE TABLE private.drawing_url_{n} (a UInt8) ENGINE = URL('http://127.0.0.1:1', 'TSV')": set(),
    "CREATE TABLE private.drawing_file_{n} (a UInt8) ENGINE = File('TSV')": set(),
    "CREATE TABLE private.drawing_all_{n} (a UInt8) ENGINE = Merge('private', '.*')": set(),
    "CREATE DICTIONARY private.drawing_{n}_d (a UInt8) PRIMARY KEY a SOURCE(NULL()) LIFETIME(0) LAYOUT(FLAT())": set(),
    "RENAME TABLE private.drawing_a TO private.drawn_a": {"owner", "publisher"},
    "RENAME TABLE private.drawing_b TO private.made_b": {"owner"},
    "RENAME TABLE private.migrations TO private.drawn_migrations": {"owner"},
    "DROP TABLE private.drawn_a": {"owner", "publisher"},
    "EXCHANGE TABLES private.closing_a AND private.reports": {"owner"},
    # Closing, giving back, expiring.
    "ALTER TABLE private.reports MOVE PARTITION '2026-09-14' TO TABLE private.closing_a": {"owner", "publisher"},
    "ALTER TABLE private.closing_a MOVE PARTITION '2026-09-14' TO TABLE private.reports": {"owner", "publisher"},
    "ALTER TABLE private.counted REPLACE PARTITION '2026-09-14' FROM private.counting_a": {"owner", "publisher"},
    "ALTER TABLE private.counted DROP PARTITION '2026-09-14'": {"owner", "publisher"},
    # Backing up.
    "CREATE TABLE private.backing_{n} AS private.reports": {"owner", "publisher"},
    "ALTER TABLE private.backing_a ATTACH PARTITION '2026-09-14' FROM private.reports": {"owner", "publisher"},
    "ALTER TABLE private.reports ATTACH PARTITION '2026-09-14' FROM private.backing_a": {"owner", "publisher"},
    "DROP TABLE private.backing_a": {"owner", "publisher"},
    "ALTER TABLE public.cells DROP PARTITION '1999'": {"owner", "publisher"},
    "ALTER TABLE public.releases DROP PARTITION tuple()": {"owner"},
    "ALTER TABLE private.loads DROP PARTITION 202609": {"owner"},
    # Making and changing tables, erasing.
    "ALTER TABLE public.cells ADD COLUMN IF NOT EXISTS value UInt64": {"owner"},
    "ALTER TABLE public.cells UPDATE value = 0 WHERE 0": {"owner"},
    "ALTER TABLE private.reports MODIFY SETTING fsync_after_insert = 1": {"owner"},
    "ALTER TABLE private.reports MODIFY TTL received_on + INTERVAL 900 DAY": {"owner"},
    "ALTER TABLE private.nodes DELETE WHERE 0": {"owner"},
    "ALTER TABLE private.peppers DELETE WHERE 0": {"owner", "publisher"},
    "TRUNCATE TABLE private.counted": {"owner"},
    "CREATE TABLE private.forgetting (licence UUID) ENGINE = MergeTree ORDER BY licence": {"owner"},
    "ALTER TABLE private.counted DELETE WHERE licence IN (SELECT licence FROM private.forgetting)": {"owner"},
    "ALTER TABLE private.counted MODIFY SETTING old_parts_lifetime = 0": {"owner"},
    "ALTER TABLE private.counted RESET SETTING old_parts_lifetime": {"owner"},
    "ALTER TABLE private.reports UPDATE language = '' WHERE 0": {"owner"},
    "CREATE TABLE private.blanking_{n} AS private.counted": {"owner"},
    "DROP TABLE private.forgetting": {"owner"},
    "OPTIMIZE TABLE public.cells": {"owner"},
    "CREATE DATABASE IF NOT EXISTS public": {"owner"},
    "DROP TABLE private.peppers": {"owner"},
    "DROP TABLE public.menus": {"owner"},
    # Nobody's work.
    "CREATE DATABASE made_{n}": set(),
    "CREATE TABLE default.made_{n} (a UInt8) ENGINE = MergeTree ORDER BY a": set(),
    "CREATE TEMPORARY TABLE made_{n} (a UInt8)": set(),
    "CREATE USER made_{n}": set(),
    "GRANT SELECT ON private.reports TO reports": set(),
    "BACKUP TABLE private.reports TO File('{n}')": set(),
    "SYSTEM FLUSH LOGS": set(),
    "SYSTEM STOP MERGES private.reports": set(),
    "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')": set(),
    "SELECT * FROM remote('127.0.0.1:1', private.reports)": set(),
    "SHOW ACCESS": set(),
}
# What a user finds there who does not make it.
_THERE = (
    "CREATE TABLE private.closing_a AS private.reports",
    "CREATE TABLE private.counting_a AS private.counted",
    "INSERT INTO private.counting_a (counted_on) VALUES ('2026-09-14')",
    "INSERT INTO private.reports (received_on) VALUES ('2026-09-14')",
    "CREATE TABLE private.drawing_a AS public.cells",
    "CREATE TABLE private.drawing_b AS public.cells",
    "CREATE TABLE private.backing_a AS private.reports",
)


def test_grants_are_the_golden_ones(guarded_server: ClickHouseServer) -> None:
    """After a change that is meant: UPDATE_GOLDEN=1 pytest tests/clickhouse/test_grants.py, and read the difference."""
    shown = "".join(sorted_grants(guarded_server, user) for user in USERS)
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
    for statement in _THERE:
        store.ask(statement)
    wrong = {}
    for number, (statement, who) in enumerate(WORK.items()):
        done, text = store.answer(statement.replace("{n}", f"{user}_{number}"), user, password(user))
        if user in who and not done:
            wrong[statement] = text
        # What is not there because its maker was refused cannot be found by the next statement.
        elif user not in who and (
            done or not re.search(r"ACCESS_DENIED|READONLY|STORAGE_READONLY|UNKNOWN_TABLE", text)
        ):
            wrong[statement] = text or "was done"
    assert wrong == {}


@pytest.mark.parametrize("user", ["owner", "ingest", "publisher"])
def test_each_ends_its_own_statements(guarded_server: ClickHouseServer, user: str) -> None:
    """As a session does that was left without an answer; `startsWith` is the collector's own condition."""
    found: list[tuple[bool, str]] = []
    statement = "SELECT sleepEachRow(0.05) FROM numbers(200) SETTINGS max_block_size = 1"
    left_over = threading.Thread(
        target=lambda: found.append(guarded_server.answer(statement, user, password(user), f"&query_id={user}.0.x"))
    )
    left_over.start()
    deadline = time.monotonic() + 10
    while guarded_server.ask(f"SELECT count() FROM system.processes WHERE query_id = '{user}.0.x'") == [["0"]]:
        assert time.monotonic() < deadline
    kill = f"KILL QUERY WHERE user = currentUser() AND startsWith(query_id, '{user}.0.') SYNC"
    assert "finished" in guarded_server.answer(kill, user, password(user))[1]
    left_over.join(timeout=5)
    assert "QUERY_WAS_CANCELLED" in found[0][1]


def test_a_person_is_what_the_dashboard_is_but_for_the_quota(guarded_server: ClickHouseServer) -> None:
    grants = {user: sorted_grants(guarded_server, user).replace(user, "") for user in ("reports", "example_person")}
    assert grants["reports"] == grants["example_person"]
    readers = ("reports", "example_person")
    profiles = [re.search(rf"<{user}>.*?<profile>(\w+)</profile>", FILE, re.DOTALL) for user in readers]
    assert {match and match[1] for match in profiles} == {"telemetry_reader"}


def test_users_of_the_statements_are_those_of_the_file() -> None:
    """access.sql is for servers whose users are made by statements; it may not drift from what the tests hold."""
    of_file = set()
    for name in ("owner", "ingest", "publisher", "reports", "pm"):
        block = re.search(rf"<{name}>(.*?)</{name}>", FILE, re.DOTALL)
        assert block
        of_file |= {f"{grant} TO {name}" for grant in re.findall(r"<query>(GRANT .*?)</query>", block[1])}
    assert {statement for statement in statements() if statement.startswith("GRANT")} == of_file


@pytest.mark.parametrize("profile", ["telemetry_collector", "telemetry_reader"])
def test_settings_of_the_statements_are_those_of_the_file(profile: str) -> None:
    block = re.search(rf"<{profile}>(.*?)</{profile}>", FILE, re.DOTALL)
    assert block
    values, _, constraints = re.sub(r"<!--.*?-->", "", block[1], flags=re.DOTALL).partition("<constraints>")
    of_file = {name: f"{name} = {value}" for name, value in re.findall(r"<(\w+)>(\w+)</", values)}
    bounds = r"<(\w+)><changeable_in_readonly/><min>(\d+)</min><max>(\d+)</max></"
    for name, least, most in re.findall(bounds, constraints):
        of_file[name] = f"{of_file.get(name, name)} MIN {least} MAX {most} CHANGEABLE_IN_READONLY"
    made = next(s for s in statements() if s.startswith(f"CREATE SETTINGS PROFILE IF NOT EXISTS {profile} "))
    assert set(made.rpartition(" SETTINGS ")[2].split(", ")) == set(of_file.values())


def test_statements_can_be_read_by_a_server(guarded_server: ClickHouseServer) -> None:
    """They cannot be done here, where users are made by files alone; their grammar can be looked at."""
    found = statements()
    assert len(found) > 30
    for statement in found:
        quoted = statement.replace("\\", "\\\\").replace("'", "\\'")
        assert guarded_server.ask(f"SELECT formatQuerySingleLine('{quoted}')")
    assert not guarded_server.answer("SELECT formatQuerySingleLine('CREATE USER IF NOT EXIST x')")[0]


def statements() -> list[str]:
    text = re.sub(r"--[^\n]*", "", (SHIPPED / "access.sql").read_text(encoding="utf-8"))
    return [" ".join(statement.split()) for statement in text.split(";") if statement.strip()]


def test_no_password_is_in_the_shipped_files() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SHIPPED.rglob("*") if path.is_file())
    assert not re.search(r"<password>[^<]", text)
    assert not re.search(r"<password_sha256_hex>[^<]", text)
    assert not re.search(r"BY '[^'.<]+'", text)
