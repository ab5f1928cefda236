"""When days are closed, with `now` passed in: outages over midnight, days of downtime, the open day so far."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.ingest.spool import SegmentWriter
from collector.layout import layout
from collector.publish.publisher import last_closed
from collector.publishing import closable_through, publish_closable, publish_so_far
from collector.settings import Settings
from collector.storeroom import StoreRoom, open_store
from tests.sample_days import DAY, ONE, row


@pytest.fixture
def room(tmp_path: Path, configuration: Configuration) -> Iterator[StoreRoom]:
    settings = Settings(data=tmp_path / "data")
    with open_store(settings, layout(settings), configuration) as room:
        yield room


def after(day: dt.date, hours: float) -> dt.datetime:
    """So many hours after the end of a day."""
    return dt.datetime.combine(day + ONE, dt.time(tzinfo=dt.UTC)) + dt.timedelta(hours=hours)


def receive(room: StoreRoom, day: dt.date, n: int) -> None:
    """Rows that were acknowledged on `day` and wait in the spool, sealed."""
    rows = b"".join(json.dumps(row(day), default=str).encode() + b"\n" for _ in range(n))
    SegmentWriter(room.paths.spool / "w0", seal_after_bytes=1, reserve_percent=0).append(day, rows)


def tick(room: StoreRoom, now: dt.datetime) -> list[str]:
    """What the store process does each minute."""
    through = (now - dt.timedelta(minutes=room.settings.publish_after_minutes)).date() - ONE
    return publish_closable(room, now, through)


def counted(room: StoreRoom) -> dict[dt.date, int]:
    return dict(room.engine.rows("SELECT counted_on, count() FROM private.counted GROUP BY counted_on"))


def test_outage_over_midnight_moves_no_count_to_another_day(room: StoreRoom) -> None:
    """The database was away from before midnight until long after; the day waits for what it acknowledged."""
    receive(room, DAY, 30)
    room.loader.load_sealed()
    receive(room, DAY, 70)  # acknowledged before midnight, while the store was away
    receive(room, DAY + ONE, 11)
    for hours in (1, 5, 20, 47):
        assert tick(room, after(DAY, hours)) == []
    room.loader.load_sealed()
    assert tick(room, after(DAY, 23.9)) == [f"day {DAY}"]
    assert tick(room, after(DAY + ONE, 1)) == [f"day {DAY + ONE}"]
    assert counted(room) == {DAY: 100, DAY + ONE: 11}
    assert room.engine.rows("SELECT DISTINCT complete FROM public.releases") == [(True,)]


def test_day_that_waited_too_long_for_another_spool_is_closed_and_marked(room: StoreRoom) -> None:
    """Only where the loader is not behind: a spool that it cannot see moving, such as an open segment."""
    receive(room, DAY, 30)
    room.loader.load_sealed()
    rows = json.dumps(row(DAY), default=str).encode() + b"\n"
    SegmentWriter(room.paths.spool / "w7", seal_after_bytes=1 << 20, reserve_percent=0).append(DAY, rows)
    assert tick(room, after(DAY, 47)) == []
    assert tick(room, after(DAY, 49)) == [f"day {DAY}"]
    assert tick(room, after(DAY + ONE, 49)) == [f"day {DAY + ONE}"], "each day has its own patience"
    assert room.engine.rows("SELECT complete FROM public.releases ORDER BY period") == [(False,), (False,)]


def test_days_of_downtime_are_caught_up_in_order_each_with_its_own_reports(room: StoreRoom) -> None:
    """Everything was down for five days but the machines' reports, which a load brings at once."""
    days = [DAY + n * ONE for n in range(9)]
    for n, day in enumerate(days):
        receive(room, day, 50 + n)
    now = after(days[-1], 6)
    assert closable_through(room.settings, now, days[-1], room) is None, "nothing is closed before it is loaded"
    room.loader.load_sealed()
    assert tick(room, now) == [str(p) for p in (*(f"day {d}" for d in days[:6]), f"week {DAY}", f"day {days[6]}")] + [
        f"day {day}" for day in days[7:]
    ]
    assert counted(room) == {day: 50 + n for n, day in enumerate(days)}
    assert last_closed(room.engine) == days[-1]
    assert tick(room, now) == []


def test_open_day_is_released_so_far_at_its_hours_and_not_while_the_spool_is_behind(room: StoreRoom) -> None:
    def released() -> list[tuple]:
        return room.engine.rows("SELECT DISTINCT grain FROM public.releases ORDER BY grain")

    noon = dt.datetime.combine(DAY, dt.time(12, 3, tzinfo=dt.UTC))
    receive(room, DAY, 300)
    assert room.loader.is_behind
    publish_so_far(room, noon)
    assert released() == []
    room.loader.load_sealed()
    publish_so_far(room, noon + dt.timedelta(hours=3))
    assert released() == []
    publish_so_far(room, noon)
    publish_so_far(room, noon + dt.timedelta(minutes=1))
    assert released() == [("so_far_12",)]
    ((value, error),) = room.engine.rows("SELECT value, error FROM public.cells WHERE breakdown = ''")
    assert abs(value - 300) <= 200
    assert error == 40
