"""Attacks on what really stands in the engine: averaging, singling out, dominance, late data, erasure, twice."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.configuration import Configuration
from collector.publish import closing, protection
from collector.publish.periods import Period
from collector.publish.protection import Protection
from collector.publish.release import DIMENSIONS, release, true_counts
from collector.store.engine import Engine
from tests.attacks.asking import reports_of
from tests.publishers import publisher_on, rules_of
from tests.sample_days import DAY, ONE, receive, row, run_row

MONTH_END = dt.date(2026, 9, 30)
OVER = MONTH_END + ONE
VERSIONS = ("25.3.0", "25.7.0", "26.1.0")
SYSTEMS = ("debian-12", "windows-11")


@pytest.fixture(params=["embedded", "server"])
def engine_kind(request: pytest.FixtureRequest) -> str:
    """The promise is the same on both engines."""
    return str(request.param)


def cells(engine: Engine) -> list[tuple]:
    return engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")


def crowd() -> list[dict]:
    """A month's last day with enough of everything to be shown, and 9 of a rare version."""
    boots = [row(MONTH_END, product_version=f"6.{n % 3}") for n in range(900)]
    runs = [
        run_row(MONTH_END, licence=uuid.uuid4(), product_version=VERSIONS[n % 2], os_version=SYSTEMS[n % 2])
        for n in range(800)
    ]
    return [*boots, *runs, *(row(MONTH_END, product_version="9.9.9") for _ in range(9))]


def grouped(engine: Engine, fields: tuple[str, ...], rows: str) -> Counter[tuple[str, ...]]:
    """True counts of the cells of a table, straight from the rows that are counted."""
    columns = ", ".join(("product", *fields))
    unit = "uniqExact(licence)" if "licence" in rows else "count()"
    found = engine.rows(f"SELECT {columns}, {unit} FROM private.counted WHERE {rows} GROUP BY {columns}")
    return Counter({tuple(values): count for *values, count in found})


async def test_averaging_gains_nothing(
    engine: Engine, open_engine: Callable[[], Engine], configuration: Configuration
) -> None:
    """The same, asked again and otherwise, after closing and opening the engine, is answered with the same bytes."""
    receive(engine, crowd())
    publisher_on(engine, configuration).publish(OVER, MONTH_END)
    versions = {"product": "installbuilder", "by": "product_version,os_version"}
    ways = [
        versions,
        versions | {"by": "os_version,product_version"},
        versions | {"by": " product_version , os_version "},
        versions | {"measure": "licences"},
        versions | {"grain": "month"},
        versions | {"from_": "2026-09-01"},
        versions | {"from_": "2026-09-30", "to": "2026-09-30"},
    ]
    answers = set()
    for _ in range(3):
        async with reports_of(engine, configuration) as reports:
            found = [await reports.ask(**way) for way in [*ways, *ways]]
        answers |= {(answer.status, answer.body) for answer in found}
        engine.close()
        engine = open_engine()
    engine.close()
    ((status, body),) = answers
    assert status == 200
    assert b"windows-11" in body


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    boots=st.dictionaries(st.tuples(st.sampled_from(VERSIONS), st.sampled_from(SYSTEMS)), st.integers(1, 14)),
    licences=st.dictionaries(st.tuples(st.sampled_from(VERSIONS), st.sampled_from(SYSTEMS)), st.integers(1, 14)),
)
def test_whatever_the_noise_nothing_of_fewer_than_ten_units_is_released(
    engine: Engine, configuration: Configuration, boots: dict, licences: dict
) -> None:
    """Noise of 10,000 lifts every cell over the gate: what is absent then is absent for its true count."""
    for table in ("private.reports", "private.counted", "public.cells", "public.releases"):
        engine.command(f"TRUNCATE TABLE {table}")
    rows = [row(MONTH_END, product_version=v, os_version=s) for (v, s), n in boots.items() for _ in range(n)]
    for (version, system), n in licences.items():
        held = {"product_version": version, "os_version": system}
        rows += [run_row(MONTH_END, licence=uuid.uuid4(), **held) for _ in range(n) for _ in range(2)]
    if not rows:
        return
    receive(engine, rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(protection, "discrete_gaussian", lambda _sigma, _below: 10_000)
        publisher_on(engine, configuration).publish(OVER, MONTH_END)
    for table in configuration.menu.tables:
        if table.measure == "runs":
            continue
        rows_of = "startsWith(report, 'image-boot/')" if table.measure == "boots" else "keyed AND licence != toUUID(0)"
        true = grouped(engine, table.fields, rows_of.replace("toUUID(0)", f"'{uuid.UUID(int=0)}'"))
        columns = [d for d in DIMENSIONS if d == "product" or d in table.fields]
        for grain in {"day", "month"} & set(table.grains):
            shown = {
                tuple(values)
                for values in engine.rows(
                    f"SELECT {', '.join(columns)} FROM public.cells WHERE measure = {{m:String}} "
                    "AND breakdown = {b:String} AND grain = {g:String}",
                    m=table.measure,
                    b=table.breakdown,
                    g=grain,
                )
            }
            order = [("product", *table.fields).index(column) for column in columns]
            assert shown == {tuple(cell[i] for i in order) for cell, units in true.items() if units >= 10}


@given(st.integers(0, 9), st.integers(-(10**9), 10**9), st.sampled_from(["report", "licence", "so_far"]))
def test_gate_lets_nothing_of_fewer_than_k_units_through(
    configuration: Configuration, true_value: int, noise: int, which: str
) -> None:
    menu = configuration.menu
    assert menu.k == 10
    for profile in menu.profiles.values():
        sigma = getattr(profile, f"{which}_sigma")
        gate = Protection(menu.k, menu.gate_sigmas, sigma, b"", ()).gate
        assert gate(true_value, noise) is None
        assert gate(menu.k, menu.gate_sigmas * sigma - 1) is None
        assert gate(menu.k, menu.gate_sigmas * sigma) == menu.k + menu.gate_sigmas * sigma


def test_one_licence_with_a_hundred_thousand_runs_moves_no_cell_by_more_than_one(
    engine: Engine, configuration: Configuration
) -> None:
    tables = [table for table in configuration.menu.tables if table.measure == "licences"]

    def true() -> dict[tuple[str, ...], int]:
        """Of every cell, the small ones too."""
        return {
            (table.breakdown, *values): units
            for table in tables
            for *values, units in engine.rows(
                true_counts(configuration.menu, table), first=DAY, last=MONTH_END, k=1, table=table.breakdown
            )
        }

    receive(engine, crowd())
    closing.close_day(engine, MONTH_END)
    before = true()
    engine.command(
        f"""
        INSERT INTO private.reports (report_id, received_on, report, source, product, product_version, version_line,
                                     os_version, language, licence)
        SELECT generateUUIDv4(), toDate('{MONTH_END}'), 'installbuilder-run/1', 'installbuilder', 'installbuilder',
               concat('25.', toString(number % 40)), '25', concat('system-', toString(number % 7)),
               concat('language-', toString(number % 11)), toUUID('{uuid.uuid4()}')
        FROM numbers(100000)
        """
    )
    closing.close_day(engine, MONTH_END)
    assert engine.rows("SELECT count() FROM private.counted WHERE language LIKE 'language-%'") == [(100_000,)]
    after = true()
    moved = {cell: after.get(cell, 0) - before.get(cell, 0) for cell in after | before}
    assert {by for by in moved.values() if by} == {1}
    for table in tables:
        here = sum(by for cell, by in moved.items() if cell[0] == table.breakdown)
        assert here == (4 if table.fields else 1)


def test_late_rows_change_no_closed_cell(engine: Engine, configuration: Configuration) -> None:
    receive(engine, crowd())
    publisher = publisher_on(engine, configuration)
    publisher.publish(OVER, MONTH_END)
    closed = cells(engine)
    assert closed
    receive(engine, [row(MONTH_END, product_version="6.1") for _ in range(700)])
    publisher.publish(OVER + ONE, OVER)
    after = cells(engine)
    first_of_next = [cell for cell in after if cell not in closed]
    assert [cell for cell in after if cell in closed] == closed
    assert {(cell[0], cell[1]) for cell in first_of_next} == {("day", OVER)}


def test_erasure_changes_no_closed_cell(engine: Engine, configuration: Configuration) -> None:
    """Releasing again without the erased rows would betray by the difference whose they were."""
    receive(engine, crowd())
    publisher_on(engine, configuration).publish(OVER, MONTH_END)
    closed = cells(engine)
    engine.command("ALTER TABLE private.counted DELETE WHERE product_version = '25.7.0' SETTINGS mutations_sync = 2")
    assert engine.rows("SELECT count() FROM private.counted WHERE product_version = '25.7.0'") == [(0,)]
    publisher_on(engine, configuration).publish(OVER, MONTH_END)
    for period in (Period("day", MONTH_END), Period("month", MONTH_END.replace(day=1))):
        release(engine, rules_of(configuration), period, secret=b"x" * 32, today=OVER, complete=True)
    assert cells(engine) == closed


def test_publishing_twice_changes_no_closed_cell(engine: Engine, configuration: Configuration) -> None:
    receive(engine, crowd())
    publisher_on(engine, configuration).publish(OVER, MONTH_END)
    closed, noted = cells(engine), engine.rows("SELECT * FROM public.releases ORDER BY ALL")
    for _ in range(2):
        assert publisher_on(engine, configuration).publish(OVER, MONTH_END) == []
    assert cells(engine) == closed
    assert engine.rows("SELECT * FROM public.releases ORDER BY ALL") == noted
