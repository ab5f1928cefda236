from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.capacity.fleet import Way
from collector.capacity.question import quantity, read
from schemas.problems import ConfigurationError

ASKED = {
    "reports_per_day": "50M",
    "products": "200",
    "retention": "40d",
    "peak_factor": "3",
    "cores": "2",
    "target_utilisation": "0.5",
}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("50M", 50_000_000),
        ("2k", 2_000),
        ("1_000_000", 1_000_000),
        ("5e6", 5_000_000),
        ("1.5M", 1_500_000),
        ("1B", 10**9),
        ("2G", 2 * 10**9),
        (" 7 ", 7),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: float) -> None:
    assert quantity(text) == number


@given(st.integers(0, 10**9), st.sampled_from(["", "k", "M", "B"]))
def test_unit_multiplies(number: int, unit: str) -> None:
    assert quantity(f"{number}{unit}") == number * {"": 1, "k": 1e3, "M": 1e6, "B": 1e9}[unit]


def test_what_is_asked_is_what_is_read() -> None:
    fleet, box = read(ASKED | {"share_keepalive": "25%", "share_batch": "0.25"}, 60)
    assert (fleet.reports_per_day, fleet.products, fleet.retention_days, fleet.peak_factor) == (50e6, 200, 40, 3)
    assert fleet.shares == {Way.TLS: 0.5, Way.KEEPALIVE: 0.25, Way.BATCH: 0.25}
    assert (box.cores, box.target_utilisation) == (2, 0.5)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"reports_per_day": "manyM"}, "--reports-per-day: write a number such as 50M, 2k, 1_000_000 or 5e6"),
        ({"reports_per_day": "50,5"}, "--reports-per-day: write a number such as"),
        ({"reports_per_day": "0"}, "--reports-per-day: must be from 1 to"),
        ({"reports_per_day": "9e99"}, "--reports-per-day: must be from 1 to"),
        ({"products": "1.5"}, "--products: must be a whole number from 1 to"),
        ({"retention": "40h"}, "--retention: write days, as 40d"),
        ({"retention": "61d"}, "--retention: must be from 1d to 60d: the policy permits"),
        ({"peak_factor": "0.5"}, "--peak-factor: must be from 1, no peak at all, to 1,000, as 3 or 2.5"),
        ({"cores": "-1"}, "--cores: write a number such as 8"),
        ({"peak_factor": "high"}, "--peak-factor: write a number such as 3 or 2.5"),
        ({"target_utilisation": "0"}, "--target-utilisation: must be from 0.01 to 1"),
        ({"target_utilisation": "half"}, "--target-utilisation: write a share, as 0.5 or 50%"),
        ({"share_new": "7"}, "--share-new: must be from 0 to 1"),
        ({"share_new": "0.7", "share_batch": "0.7"}, "they must add up to 1"),
        ({"share_new_tls": "0.7"}, "they must add up to 1"),
    ],
)
def test_bad_option_is_one_line_that_names_it_and_teaches_the_form(given: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(ASKED | given, 60)
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(ASKED | {"reports_per_day": "x", "products": "x", "cores": "x"}, 60)
    assert len(caught.value.problems) == 3


@given(st.text(min_size=1), st.sampled_from(sorted([*ASKED, "share_new", "share_new_tls"])))
def test_whatever_is_given_is_understood_or_told_and_never_repeated(text: str, name: str) -> None:
    canary = f"{text}kanari"
    with pytest.raises(ConfigurationError) as caught:
        read(ASKED | {name: canary}, 60)
    assert not [line for line in caught.value.problems if "kanari" in line]
    with contextlib.suppress(ConfigurationError):
        read(ASKED | {name: text}, 60)
