"""The open day so far: released once at each of its hours, with more noise, and never of licences."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from collector.configuration import Configuration
from collector.publish import closing
from collector.publish.limits import SO_FAR_KEPT_DAYS
from collector.publish.periods import Period
from collector.publish.publisher import Publisher
from collector.publish.released import Released
from collector.reports.question import read_question
from collector.reports.usage import usage
from collector.store.engine import Engine
from tests.sample_days import DAY, ONE, receive, row, run_row

NOON = Period("so_far", DAY, 12)


def cells(engine: Engine, grain: str = "so_far_12") -> list[tuple]:
    return engine.rows("SELECT * FROM public.cells FINAL WHERE grain = {g:String} ORDER BY ALL", g=grain)


def counting_tables(engine: Engine) -> list[tuple]:
    return engine.rows(
        "SELECT name FROM system.tables WHERE database = 'private' "
        "AND (startsWith(name, 'counting_') OR startsWith(name, 'draw'))"
    )


def at(hour: int, minute: int = 0, day: dt.date = DAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute, tzinfo=dt.UTC))


def test_open_day_is_released_with_more_noise_and_stays_open(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row(product_version=f"6.4.{n % 2}") for n in range(4000)])
    receive(engine, [run_row(licence=uuid.uuid4()) for _ in range(400)])
    publisher.publish_so_far(NOON)
    found = cells(engine)
    assert {cell[3] for cell in found} == {"", "product_version"}
    assert {cell[4] for cell in found} == {"wordpress"}, "licences and runs are not in it"
    assert {cell[-1] for cell in found} == {40}
    assert all(abs(cell[-2] - (4000 if cell[3] == "" else 2000)) <= 200 for cell in found)
    assert engine.rows(f"SELECT count() FROM {engine.over_all('private.reports')} FINAL") == [(4400,)], (
        "nothing is moved"
    )
    assert counting_tables(engine) == [], "nothing is left behind"
    publisher.publish(DAY + ONE, DAY)
    assert engine.rows(f"SELECT count() FROM {engine.over_all('private.counted')}") == [(4400,)]


def test_killed_while_it_is_counted_nothing_is_left_behind(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row() for _ in range(100)])
    counting = closing.count_open_day(engine, DAY)
    assert engine.rows(f"SELECT count() FROM {counting}") == [(100,)]
    engine.command("CREATE TABLE private.drawn_so_far_06_2026_09_14 AS public.cells")
    publisher.publish(DAY + ONE, DAY)
    publisher.publish(DAY + 2 * ONE, DAY + ONE)
    assert counting_tables(engine) == []


def test_it_is_released_once(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row() for _ in range(1000)])
    publisher.publish_so_far(NOON)
    first = cells(engine)
    receive(engine, [row() for _ in range(1000)])
    publisher.publish_so_far(NOON)
    assert cells(engine) == first
    publisher.publish_so_far(Period("so_far", DAY, 18))
    assert cells(engine, "so_far_18") != []


def test_retries_and_other_days_are_not_in_it(engine: Engine, publisher: Publisher) -> None:
    counted = [row(DAY - ONE) for _ in range(500)]
    receive(engine, counted)
    publisher.publish(DAY, DAY - ONE)
    receive(engine, [one | {"received_on": DAY} for one in counted])
    ones = [row() for _ in range(600)]
    receive(engine, ones)
    receive(engine, ones)
    receive(engine, [row(DAY - ONE) for _ in range(700)])  # late: counts when its turn comes
    publisher.publish_so_far(NOON)
    ((total,),) = engine.rows("SELECT value FROM public.cells FINAL WHERE grain = 'so_far_12' AND breakdown = ''")
    assert abs(total - 600) <= 200


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at(5, 59), None),
        (at(6), 6),
        (at(6, 29), 6),
        (at(6, 30), None),  # later it would stand for another time than it says
        (at(12, 10), 12),
        (at(18, 1), 18),
        (at(23, 59), None),
    ],
)
def test_it_falls_due_at_its_hours_and_is_left_out_when_too_late(
    publisher: Publisher, now: dt.datetime, due: int | None
) -> None:
    assert publisher.due_so_far(now) == (Period("so_far", DAY, due) if due else None)


def test_what_is_out_is_not_due(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row()])
    publisher.publish_so_far(NOON)
    assert publisher.due_so_far(at(12, 5)) is None


def test_old_ones_are_dropped_and_never_made_again(engine: Engine, publisher: Publisher) -> None:
    receive(engine, [row() for _ in range(1000)])
    publisher.publish_so_far(NOON)
    publisher.publish(DAY + SO_FAR_KEPT_DAYS * ONE + ONE, DAY + SO_FAR_KEPT_DAYS * ONE)
    assert cells(engine)
    publisher.publish(DAY + SO_FAR_KEPT_DAYS * ONE + 2 * ONE, DAY + SO_FAR_KEPT_DAYS * ONE + ONE)
    assert cells(engine) == []
    publisher.publish_so_far(NOON)
    assert cells(engine) == []


def test_usage_shows_it_while_the_day_is_open(
    engine: Engine, publisher: Publisher, configuration: Configuration
) -> None:
    def ask(**asked: str) -> dict:
        return usage(Released(engine), configuration.menu, read_question(asked), simulated=False)

    receive(engine, [row(DAY - ONE) for _ in range(500)])
    receive(engine, [row() for _ in range(1000)])
    publisher.publish(DAY, DAY - ONE)
    assert ask(by="product_version")["so_far"] is None
    publisher.publish_so_far(Period("so_far", DAY, 6))
    publisher.publish_so_far(NOON)
    so_far = ask(by="product_version", product="wordpress")["so_far"]
    assert (so_far["period"], so_far["hour"]) == ("2026-09-14", 12)
    assert [(cell["product_version"], cell["error"]) for cell in so_far["cells"]] == [("6.4.2", 40)]
    assert ask(by="product_version", product="ghost")["so_far"]["cells"] == []
    assert ask(by="version_line")["so_far"] is None, "not on the menu"
    assert ask(to="2026-09-13")["so_far"] is None
    publisher.publish(DAY + ONE, DAY)
    assert ask(by="product_version")["so_far"] is None, "the day itself is out"


def test_it_waits_until_the_days_before_are_closed(engine: Engine, publisher: Publisher) -> None:
    """Sent again after midnight, a report would otherwise be in two days so far."""
    receive(engine, [row(DAY - ONE) for _ in range(10)])
    receive(engine, [row() for _ in range(10)])
    assert publisher.due_so_far(at(12, 5)) is None
    publisher.publish(DAY, DAY - ONE)
    assert publisher.due_so_far(at(12, 5)) == NOON
