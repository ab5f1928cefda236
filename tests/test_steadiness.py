from __future__ import annotations

from collector.steadiness import Steadiness, seconds_since_boot

HOUR = 3600.0


def test_clock_that_runs_on_is_steady_also_over_a_sleep() -> None:
    clock = Steadiness()
    assert all(clock.is_steady(1_000_000 + t, t) for t in (0, 60, 120, 8 * HOUR, 8 * HOUR + 200))


def test_clock_that_jumps_is_trusted_again_after_an_hour() -> None:
    clock = Steadiness()
    assert clock.is_steady(1_000_000, 0)
    ahead = 60 * 24 * HOUR
    assert not clock.is_steady(1_000_060 + ahead, 60)
    assert not clock.is_steady(1_000_120 + ahead, 120)
    assert clock.is_steady(1_000_060 + ahead + HOUR, 60 + HOUR)


def test_clock_that_is_set_back_again_has_jumped_twice() -> None:
    clock = Steadiness()
    assert clock.is_steady(1_000_000, 0)
    assert not clock.is_steady(1_000_060 + HOUR, 60)
    assert not clock.is_steady(1_000_120, 120)
    assert not clock.is_steady(1_000_060 + HOUR, 60 + HOUR)
    assert clock.is_steady(1_000_120 + 2 * HOUR, 120 + 2 * HOUR)


def test_correction_of_seconds_is_no_jump() -> None:
    clock = Steadiness()
    assert clock.is_steady(1_000_000, 0)
    assert clock.is_steady(1_000_090, 60)


def test_time_since_boot_moves() -> None:
    assert 0 < seconds_since_boot() <= seconds_since_boot()
