from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.publish.periods import GRAINS, Period, days, ending_on, period_of


@given(st.dates(dt.date(2020, 1, 1), dt.date(2100, 1, 1)), st.sampled_from(GRAINS))
def test_every_day_lies_in_its_period(day: dt.date, grain) -> None:
    period = period_of(day, grain)
    assert period.start <= day <= period.last_day
    assert period_of(period.last_day, grain) == period
    assert period_of(period.last_day + dt.timedelta(days=1), grain) != period


@pytest.mark.parametrize(
    ("day", "ending"),
    [
        (dt.date(2026, 9, 13), [Period("week", dt.date(2026, 9, 7))]),
        (dt.date(2026, 9, 30), [Period("month", dt.date(2026, 9, 1))]),
        (dt.date(2026, 5, 31), [Period("week", dt.date(2026, 5, 25)), Period("month", dt.date(2026, 5, 1))]),
        (dt.date(2028, 2, 28), []),
        (dt.date(2028, 2, 29), [Period("month", dt.date(2028, 2, 1))]),
    ],
)
def test_weeks_end_on_sunday_and_months_on_their_last_day(day: dt.date, ending: list[Period]) -> None:
    assert list(ending_on(day)) == ending


def test_days_counts_both_ends() -> None:
    assert len(list(days(dt.date(2026, 9, 1), dt.date(2026, 9, 30)))) == 30
    assert list(days(dt.date(2026, 9, 2), dt.date(2026, 9, 1))) == []
