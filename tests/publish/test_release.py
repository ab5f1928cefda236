from __future__ import annotations

import datetime as dt
import uuid

import pytest

from collector.configuration import Configuration
from collector.publish import closing
from collector.publish.periods import Period
from collector.publish.publisher import Publisher
from collector.publish.release import release, true_counts
from collector.store.engine import Engine
from tests.publishers import rules_of
from tests.sample_days import DAY, ONE, receive, row, run_row

MONTH_END = dt.date(2026, 9, 30)


def values(engine: Engine, measure: str, breakdown: str, grain: str = "day", fields: str = "product") -> dict:
    rows = engine.rows(
        f"SELECT ({fields}), value FROM public.cells WHERE measure = {{m:String}} AND breakdown = {{b:String}} "
        "AND grain = {g:String}",
        m=measure,
        b=breakdown,
        g=grain,
    )
    return dict(rows)


def test_day_is_released_with_noise_and_error(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row(product_version=f"6.4.{n % 3}") for n in range(900)])
    publisher.publish(DAY + ONE, DAY)
    assert abs(values(engine, "boots", "")["wordpress"] - 900) <= 40
    versions = values(engine, "boots", "product_version", fields="product_version")
    assert set(versions) == {"6.4.0", "6.4.1", "6.4.2"}
    assert engine.rows("SELECT DISTINCT error FROM public.cells") == [(10,)]
    assert values(engine, "boots", "os_version") == {}  # fine fields are for weeks and months


def test_small_cells_are_absent(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row() for _ in range(500)] + [row(product_version="9.9.9") for _ in range(9)])
    publisher.publish(DAY + ONE, DAY)
    assert set(values(engine, "boots", "product_version", fields="product_version")) == {"6.4.2"}


def test_weeks_and_months_are_released_directly(engine: Engine, publisher: Publisher) -> None:
    days = [dt.date(2026, 9, 1) + n * ONE for n in range(30)]
    receive(engine, [row(day, product_version="1.0") for day in days for _ in range(12)])
    publisher.publish(dt.date(2026, 10, 1), MONTH_END)
    assert values(engine, "boots", "product_version", fields="product_version") == {}  # 12 a day are too few
    assert abs(values(engine, "boots", "product_version", "month", "product_version")["1.0"] - 360) <= 40
    weeks = engine.rows(
        "SELECT period FROM public.cells WHERE grain = 'week' AND breakdown = 'language' ORDER BY period"
    )
    assert [period for (period,) in weeks] == [dt.date(2026, 8, 31) + 7 * n * ONE for n in range(4)]


def test_licences_are_counted_once_and_runs_without_a_key_apart(engine: Engine, publisher: Publisher) -> None:
    holders = [uuid.uuid4() for _ in range(200)]
    receive(engine, [run_row(licence=holder) for holder in holders for _ in range(3)] + [run_row() for _ in range(150)])
    publisher.publish(dt.date(2026, 10, 1), MONTH_END)
    assert abs(values(engine, "licences", "", "month")["installbuilder"] - 200) <= 100
    assert abs(values(engine, "runs", "", "month")["installbuilder"] - 150) <= 40
    assert engine.rows("SELECT DISTINCT error FROM public.cells WHERE measure = 'licences'") == [(24,)]
    assert values(engine, "licences", "", "day") == {}


def test_one_licence_moves_no_cell_by_more_than_one_and_at_most_four_cells(
    engine: Engine, configuration: Configuration
) -> None:
    """One licence sends thousands of runs in 40 versions; with one secret, only its own cells may differ."""
    crowd = [run_row(licence=uuid.uuid4(), product_version=f"25.{v}.0") for v in range(40) for _ in range(120)]
    hostile = uuid.uuid4()
    attack = [run_row(licence=hostile, product_version=f"25.{v}.0") for v in range(40) for _ in range(50)]

    def held() -> dict[str, int]:
        # The released value is the true one plus noise that depends on the true value: compare true counts.
        table = next(
            t for t in configuration.menu.tables if (t.measure, t.fields) == ("licences", ("product_version",))
        )
        query = true_counts(configuration.menu, table)
        rows = engine.rows(query, first=DAY.replace(day=1), last=MONTH_END, k=10, table=table.breakdown)
        return {version: units for _, version, units in rows}

    receive(engine, crowd)
    closing.close_day(engine, DAY)
    before = held()
    receive(engine, attack)
    closing.close_day(engine, DAY + ONE)
    after = held()
    moved = {version: after[version] - before[version] for version in before if after[version] != before[version]}
    assert sum(moved.values()) == len(moved) == 4


def test_released_period_is_never_computed_again(
    engine: Engine, publisher: Publisher, configuration: Configuration
) -> None:
    receive(engine, [row() for _ in range(400)])
    publisher.publish(DAY + ONE, DAY)
    before = engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")
    assert before
    for node in engine.nodes:
        node.command(f"ALTER TABLE private.counted DROP PARTITION '{DAY}'")
    period = Period("day", DAY)
    for _ in range(3):
        release(engine, rules_of(configuration), period, secret=b"x" * 32, today=DAY + ONE, complete=True)
    assert engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL") == before
    engine.command("TRUNCATE TABLE public.releases")  # as if killed between the cells and the note of them
    release(engine, rules_of(configuration), period, secret=b"y" * 32, today=DAY + ONE, complete=True)
    assert engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL") == before
    assert engine.rows("SELECT count() FROM public.releases") == [(1,)]


def test_period_released_without_any_cell_stays_so(
    engine: Engine, publisher: Publisher, configuration: Configuration
) -> None:
    receive(engine, [row() for _ in range(5)])
    publisher.publish(DAY + ONE, DAY)
    receive(engine, [row() for _ in range(500)])
    closing.close_day(engine, DAY)
    release(engine, rules_of(configuration), Period("day", DAY), secret=b"x" * 32, today=DAY + ONE, complete=True)
    assert engine.rows("SELECT count() FROM public.cells") == [(0,)]


def test_same_secret_gives_the_same_cells_and_another_one_others(engine: Engine, configuration: Configuration) -> None:
    receive(engine, [row(product_version=f"6.{n % 20}") for n in range(4000)])
    closing.close_day(engine, DAY)

    def cells(secret: bytes) -> list[tuple]:
        engine.command("TRUNCATE TABLE public.cells")
        engine.command("TRUNCATE TABLE public.releases")
        period = Period("day", DAY)
        release(engine, rules_of(configuration), period, secret=secret, today=DAY + ONE, complete=True)
        return engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")

    first = cells(b"a" * 32)
    assert cells(b"a" * 32) == first
    assert cells(b"b" * 32) != first


@pytest.mark.parametrize(("profile", "error"), [("standard", 10), ("strict", 20)])
def test_profile_sets_the_noise(engine: Engine, configuration: Configuration, profile: str, error: int) -> None:
    receive(engine, [row() for _ in range(500)])
    closing.close_day(engine, DAY)
    release(
        engine, rules_of(configuration, profile), Period("day", DAY), secret=b"a" * 32, today=DAY + ONE, complete=True
    )
    assert engine.rows("SELECT DISTINCT error FROM public.cells") == [(error,)]
