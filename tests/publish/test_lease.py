"""Two installations on one store: one publishes, the other stands by and takes over."""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.configuration import Configuration
from collector.publish.publisher import last_closed
from collector.store.engine import Engine, EngineError
from collector.store.lease import HeldByAnotherError, Lease
from tests.publish.interrupted import asleep
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row


def test_one_holds_and_the_other_stands_by(engine: Engine) -> None:
    first, second = Lease(engine, "a"), Lease(engine, "b")
    first.hold()
    with pytest.raises(HeldByAnotherError):
        second.hold()
    first.hold()
    Lease(engine, "a").hold()  # the same installation, started again


def test_lease_that_is_not_renewed_goes_to_another_and_is_not_taken_back(engine: Engine) -> None:
    first, second = Lease(engine, "a", lasts_seconds=1), Lease(engine, "b", lasts_seconds=1)
    first.hold()
    time.sleep(2.1)  # the store's clock counts whole seconds
    second.hold()
    with pytest.raises(HeldByAnotherError):
        first.hold()
    assert len(engine.rows("SELECT name FROM system.tables WHERE startsWith(name, 'publishing_')")) == 1


def test_it_is_renewed_in_time_and_not_at_each_look(engine: Engine) -> None:
    lease = Lease(engine, "a", lasts_seconds=20)

    def renewals() -> int:
        # Each insert is a part with its own number, merged or not.
        last = engine.rows("SELECT max(max_block_number) FROM system.parts WHERE table = 'publishing_1'")
        return int(last[0][0])

    for _ in range(3):
        lease.hold()
    assert renewals() == 1
    time.sleep(1.1)
    lease.hold()
    assert renewals() == 2


def test_of_many_at_once_one_gets_it(engine: Engine) -> None:
    def hold(number: int) -> bool:
        session = engine.session()
        try:
            Lease(session, f"h{number}").hold()
        except HeldByAnotherError:
            return False
        finally:
            session.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(hold, range(8))) == 1


def test_two_publishers_at_once_do_no_harm(engine: Engine, configuration: Configuration) -> None:
    """Both close the same days for a while; each report counts once, each period is released once."""
    days = [DAY + n * ONE for n in range(7)]
    receive(engine, [row(day) for day in days for _ in range(100)])

    def publish(holder: str) -> int:
        session = engine.session()
        publisher = publisher_on(session, configuration, lease=Lease(session, holder))
        released = 0
        try:
            for _ in range(5):
                released += len(publisher.publish(DAY + 8 * ONE, DAY + 6 * ONE))
        except HeldByAnotherError:
            pass
        finally:
            session.close()
        return released

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(publish, ["a", "b"])) == [0, 8]  # seven days and a week
    assert engine.rows(f"SELECT count() FROM {engine.over_all('private.counted')}") == [(700,)]
    assert engine.rows("SELECT count(), uniqExact(grain, period) FROM public.releases") == [(8, 8)]
    assert last_closed(engine) == DAY + 6 * ONE


# Each of them in the long run, some all over in the short one.
SLEEPS = range(3, 75, 3 if os.environ.get("ENGINES") else 9)


@pytest.mark.parametrize(
    ("engine_kind", "statements"), [*(("embedded", n) for n in SLEEPS), *(("server", n) for n in SLEEPS[::6])]
)
def test_publisher_that_sleeps_while_another_one_finishes_harms_nothing(
    engine: Engine, configuration: Configuration, statements: int
) -> None:
    """Wherever it slept: each report counts once, none is lost, and what the other one released stays."""
    days = [DAY + n * ONE for n in range(6, 8)]  # the first ends its week
    receive(engine, [row(day) for day in days for _ in range(300)])
    out: list[list[tuple]] = []

    def other() -> None:
        thief = publisher_on(engine, configuration, lease=Lease(engine, "b", lasts_seconds=-1))
        thief.publish(days[1] + ONE, days[1])
        out.append(engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL"))
        receive(engine, [row(days[0]) for _ in range(50)])  # late rows, before the sleeper wakes

    sleeper = asleep(engine, statements, other)
    with contextlib.suppress(HeldByAnotherError, EngineError):
        lease = Lease(sleeper, "a")
        publisher_on(sleeper, configuration, lease=lease).publish(days[1] + ONE, days[1])
    if not out:
        return  # it was done before it could fall asleep
    publisher_on(engine, configuration, lease=Lease(engine, "b", lasts_seconds=-1)).publish(
        days[1] + 2 * ONE, days[1] + ONE
    )
    cells = engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")
    assert set(out[0]) <= set(cells), "something that was out has changed"
    ids = engine.rows(f"SELECT count(), uniqExact(report_id) FROM {engine.over_all('private.counted')}")
    assert ids == [(650, 650)], "lost or counted twice"
    assert engine.rows("SELECT count(), uniqExact(grain, period) FROM public.releases FINAL") == [(4, 4)]


def test_publisher_that_lost_its_lease_in_the_middle_stops(engine: Engine, configuration: Configuration) -> None:
    receive(engine, [row(DAY) for _ in range(100)])

    class Stolen(Lease):
        def hold(self) -> None:
            super().hold()
            Lease(self.engine, "thief", lasts_seconds=-1).hold()

    with pytest.raises(HeldByAnotherError):
        publisher_on(engine, configuration, lease=Stolen(engine, "sleeper")).publish(DAY + ONE, DAY)
    assert engine.rows("SELECT count() FROM public.releases") == [(0,)]
    publisher_on(engine, configuration, lease=Lease(engine, "thief")).publish(DAY + ONE, DAY)
    assert engine.rows(f"SELECT count() FROM {engine.over_all('private.counted')}") == [(100,)]
