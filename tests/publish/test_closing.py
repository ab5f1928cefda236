"""The chain that closes a day, on a real engine: each report counts once, whatever is killed or late."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections import Counter

import pytest

from collector.configuration import Configuration
from collector.publish import closing
from collector.publish.expiry import expire
from collector.publish.publisher import NotOverError, Publisher, last_closed
from collector.store.engine import Engine
from tests.publish.conftest import MakePublisher
from tests.publish.interrupted import KilledError, dying
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row, run_row

LICENCE = uuid.UUID("5f0c2f5a-6a7e-4d1b-8c3d-2e1f0a9b8c7d")


def counted(engine: Engine) -> Counter[dt.date]:
    return Counter(
        dict(engine.rows(f"SELECT counted_on, count() FROM {engine.over_all('private.counted')} GROUP BY counted_on"))
    )


def cells(engine: Engine) -> list[tuple]:
    return engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")


def test_each_report_counts_once_within_a_day(engine: Engine) -> None:
    one = row()
    receive(engine, [one, row()])
    receive(engine, [one | {"language": ""}])  # a field was blanked between two tries
    receive(engine, [one])
    closing.close_day(engine, DAY)
    assert counted(engine) == {DAY: 2}


def test_retry_on_a_later_day_does_not_count_again(engine: Engine, publisher: Publisher) -> None:
    one, other = row(), row(DAY + 3 * ONE)
    receive(engine, [one])
    publisher.publish(DAY + ONE, DAY)
    receive(engine, [one | {"received_on": DAY + 3 * ONE}, other])
    publisher.publish(DAY + 4 * ONE, DAY + 3 * ONE)
    assert counted(engine) == {DAY: 1, DAY + 3 * ONE: 1}


def test_duplicate_within_one_closing_of_several_days_counts_once(engine: Engine, publisher: Publisher) -> None:
    one = row()
    receive(engine, [one, one | {"received_on": DAY + ONE}])
    publisher.publish(DAY + 2 * ONE, DAY + ONE)
    assert counted(engine) == {DAY: 1}


def test_late_rows_count_on_the_next_day_that_closes(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row()])
    publisher.publish(DAY + ONE, DAY)
    before = cells(engine)
    receive(engine, [row() for _ in range(60)])  # received on DAY, loaded after DAY was closed
    receive(engine, [row(DAY + ONE)])
    publisher.publish(DAY + 2 * ONE, DAY + ONE)
    assert counted(engine) == {DAY: 1, DAY + ONE: 61}
    assert [c for c in cells(engine) if c[1] == DAY] == [c for c in before if c[1] == DAY]


def test_closing_killed_after_any_step_ends_the_same(engine: Engine, publisher: Publisher) -> None:
    rows = [row() for _ in range(80)]
    receive(engine, rows)
    claimed = "private.closing_2026_09_14"
    for node in engine.nodes:
        node.command(f"CREATE TABLE {claimed} AS private.reports")  # killed after the claim
    closing.close_day(engine, DAY)  # killed after counting
    receive(engine, [row()])  # arrives between two tries
    closing.close_day(engine, DAY)  # killed again
    assert counted(engine) == {DAY: 81}
    publisher.publish(DAY + ONE, DAY)
    assert counted(engine) == {DAY: 81}
    assert closing.claimed_days(engine) == []
    assert last_closed(engine) == DAY


def test_claim_left_by_a_kill_after_the_release_is_dropped_and_not_counted_again(
    engine: Engine, publisher: Publisher
) -> None:
    receive(engine, [row() for _ in range(80)])
    publisher.publish(DAY + ONE, DAY)
    released = cells(engine)
    for node in engine.nodes:
        node.command("CREATE TABLE private.closing_2026_09_14 AS private.reports")  # as if never dropped
    for node in engine.nodes:
        node.command("INSERT INTO private.closing_2026_09_14 SELECT * FROM private.reports")
    publisher.publish(DAY + 2 * ONE, DAY + ONE)
    assert closing.claimed_days(engine) == []
    assert counted(engine) == {DAY: 80}
    assert [c for c in cells(engine) if c[1] == DAY] == released


def test_rows_of_a_claim_that_was_never_counted_are_not_lost(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row() for _ in range(5)])
    for node in engine.nodes:
        node.command("CREATE TABLE private.closing_2026_09_14 AS private.reports")
    for node in engine.nodes:
        node.command("ALTER TABLE private.reports MOVE PARTITION '2026-09-14' TO TABLE private.closing_2026_09_14")
    publisher.publish(DAY + 3 * ONE, DAY + 2 * ONE)
    assert counted(engine) == {DAY: 5}


KILLS = [4, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44]


@pytest.mark.parametrize(
    ("engine_kind", "statements"), [*(("embedded", n) for n in KILLS), *(("server", n) for n in KILLS[1::4])]
)
def test_killed_anywhere_nothing_released_changes_and_nothing_is_lost(
    engine: Engine, configuration: Configuration, statements: int
) -> None:
    """The day ends its week and its month. Rows arrive between the kill and the next try."""
    day = dt.date(2026, 5, 31)
    receive(engine, [row(day) for _ in range(500)])
    with contextlib.suppress(KilledError):
        publisher_on(dying(engine, statements), configuration).publish(day + ONE, day)
    out = cells(engine)
    receive(engine, [row(day) for _ in range(300)])
    again = publisher_on(engine, configuration)
    again.publish(day + ONE, day)
    again.publish(day + 2 * ONE, day + ONE)
    assert set(out) <= set(cells(engine))
    assert sum(counted(engine).values()) == 800
    # What a period says it is computed from is what it was computed from: day, week and month agree.
    totals = engine.rows(
        "SELECT value FROM public.cells WHERE breakdown = '' AND measure = 'boots' AND period IN "
        "('2026-05-31', '2026-05-25', '2026-05-01')"
    )
    assert len(totals) == 3
    assert all(abs(value - counted(engine)[day]) <= 50 for (value,) in totals)


def test_many_parts_count_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before, today = [row() for _ in range(60)], [row(DAY + ONE) for _ in range(95)]
    receive(engine, before)
    closing.close_day(engine, DAY)
    monkeypatch.setattr(closing, "_HASHES_AT_ONCE", 10)
    monkeypatch.setattr(closing, "_IDS_AT_ONCE", 10)
    receive(engine, today + today[:20] + [one | {"received_on": DAY + ONE} for one in before[:40]])
    closing.close_day(engine, DAY + ONE)
    assert counted(engine) == {DAY: 60, DAY + ONE: 95}


def test_ids_that_only_look_alike_at_first_both_count(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_HASH", "toUInt32(cityHash64(report_id) % 2)")
    receive(engine, [row() for _ in range(30)])
    closing.close_day(engine, DAY)
    receive(engine, [row(DAY + ONE) for _ in range(30)])
    closing.close_day(engine, DAY + ONE)
    assert counted(engine) == {DAY: 30, DAY + ONE: 30}


def test_licence_that_closes_in_a_later_quarter_leaves_the_measure_but_stays_keyed(
    engine: Engine, publisher: Publisher
) -> None:
    last_of_quarter = dt.date(2026, 9, 30)
    receive(engine, [run_row(last_of_quarter, licence=LICENCE)])
    publisher.publish(dt.date(2026, 10, 1), last_of_quarter)
    receive(engine, [run_row(last_of_quarter, licence=LICENCE), run_row(last_of_quarter)])
    publisher.publish(dt.date(2026, 10, 2), dt.date(2026, 10, 1))
    found = engine.rows(
        f"SELECT counted_on, keyed, licence FROM {engine.over_all('private.counted')} ORDER BY counted_on, keyed"
    )
    assert found == [
        (last_of_quarter, True, LICENCE),
        (dt.date(2026, 10, 1), False, uuid.UUID(int=0)),
        (dt.date(2026, 10, 1), True, uuid.UUID(int=0)),
    ]


def test_days_without_reports_are_closed_and_say_nothing(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row()])
    publisher.publish(DAY + 9 * ONE, DAY + 8 * ONE)
    assert last_closed(engine) == DAY + 8 * ONE
    assert engine.rows("SELECT count() FROM public.releases WHERE grain = 'week'") == [(1,)]
    assert cells(engine) == []


def test_nothing_is_published_before_the_first_report(engine: Engine, publisher: Publisher) -> None:
    assert publisher.publish(DAY, DAY - ONE) == []
    assert last_closed(engine) is None


def test_day_that_is_not_over_is_refused(publisher: Publisher) -> None:
    with pytest.raises(NotOverError, match="the last day that can be closed is 2026-09-13"):
        publisher.publish(DAY, DAY)


def test_day_closed_before_a_lagging_spool_is_incomplete_and_so_are_its_week_and_month(
    engine: Engine, make_publisher: MakePublisher
) -> None:
    receive(engine, [row()])
    make_publisher(lambda day: day != DAY).publish(dt.date(2026, 10, 1), dt.date(2026, 9, 30))
    found = engine.rows("SELECT grain, period FROM public.releases WHERE NOT complete ORDER BY grain")
    assert found == [("day", DAY), ("month", dt.date(2026, 9, 1)), ("week", DAY)]


def test_private_rows_expire_once_nothing_needs_them(engine: Engine, publisher: Publisher) -> None:
    first, last = dt.date(2026, 8, 29), dt.date(2026, 9, 20)
    receive(engine, [row(first), row(dt.date(2026, 8, 31)), row(dt.date(2026, 9, 2)), row(last)])
    publisher.publish(dt.date(2026, 9, 10), dt.date(2026, 9, 9))
    assert first in counted(engine)  # the grace after August has not passed
    publisher.publish(dt.date(2026, 9, 21), last)
    assert set(counted(engine)) == {dt.date(2026, 9, 2), last}
    kept = expire(engine, dt.date(2026, 9, 21), last, publisher.limits)
    assert kept == []


def test_expiry_keeps_ids_that_a_retry_may_still_bring(engine: Engine, publisher: Publisher) -> None:
    last_of_august = dt.date(2026, 8, 31)
    receive(engine, [row(last_of_august)])
    publisher.publish(dt.date(2026, 9, 12), dt.date(2026, 9, 11))
    assert last_of_august in counted(engine)
