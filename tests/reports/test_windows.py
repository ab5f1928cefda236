from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.publish.released import Cell
from collector.reports.windows import MONTHS, before, last_day, summed, window_of

windows = st.sampled_from(list(MONTHS))
days = st.dates(dt.date(2020, 1, 1), dt.date(2090, 1, 1))


@given(days, windows)
def test_windows_follow_each_other_without_a_gap(day: dt.date, window: str) -> None:
    start = window_of(day, window)
    assert start <= day <= last_day(start, window)
    assert window_of(last_day(start, window), window) == start
    assert window_of(last_day(start, window) + dt.timedelta(days=1), window) != start
    assert last_day(before(start, window), window) == start - dt.timedelta(days=1)


def months(version: str, *values: int | None, first: int = 1) -> list[Cell]:
    named = {"product": "wordpress", "product_version": version}
    return [Cell(dt.date(2026, first + n, 1), named, value, 10) for n, value in enumerate(values) if value is not None]


def test_sum_has_a_value_only_where_every_month_was_released() -> None:
    found = list(summed([*months("6.4", 100, 200, 300), *months("6.5", 50, None, 80), *months("7.0", 70)], "quarter"))
    assert [(one.values["product_version"], one.released, one.value, one.error) for one in found] == [
        ("6.4", 3, 600, math.ceil(10 * math.sqrt(3))),
        ("6.5", 2, None, None),
        ("7.0", 1, None, None),
    ]


def test_year_needs_twelve_months() -> None:
    (eleven,) = summed(months("6.4", *[100] * 11), "year")
    (twelve,) = summed(months("6.4", *[100] * 12), "year")
    assert (eleven.released, eleven.value) == (11, None)
    assert (twelve.released, twelve.value, twelve.error) == (12, 1200, 35)


@pytest.mark.parametrize("first", [1, 4, 7, 10])
def test_each_quarter_is_its_own(first: int) -> None:
    (one,) = summed(months("6.4", 1, 2, 3, first=first), "quarter")
    assert (one.start, one.value) == (dt.date(2026, first, 1), 6)
