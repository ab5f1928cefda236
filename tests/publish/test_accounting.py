"""The accounting against figures worked out by hand and against properties that any accounting must have."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.configuration import Configuration, read_configuration
from collector.publish.accounting import (
    DELTA,
    UnaccountableError,
    best_guess,
    epsilon,
    exposures,
    over_budget,
    upper_tail,
)
from collector.publish.menu import SHIPPED_MENU, load_menu
from collector.settings import Settings
from schemas.policy import load_policy
from schemas.problems import ConfigurationError

rhos = st.floats(1e-6, 10)


def test_shipped_menu_reveals_what_its_cells_add_up_to(configuration: Configuration) -> None:
    """3 cells a day, 7 a week, 10 a month at sigma 5, 2 at 3 moments of a day at sigma 20; 5 tables of 4 cells."""
    boots, runs, month, year = exposures(configuration.menu, "standard")
    assert (boots.cells, runs.cells, month.cells, year.cells) == (26, 6, 20, 240)
    guard = 4 * 0.1**2 / 2
    assert boots.rho == pytest.approx(20 / 50 + 6 / 800 + guard)
    assert runs.rho == pytest.approx(6 / 50 + guard)
    assert month.rho == pytest.approx(20 / 288)
    assert year.rho == pytest.approx(12 * month.rho)
    assert (boots.unit, month.unit, year.unit) == (
        "one boot report",
        "one licence in a month",
        "one licence in a year",
    )


def test_documented_expectation_holds(configuration: Configuration) -> None:
    """About epsilon 5 per image report and about 2 per licence in a month."""
    boots, _, month, _ = exposures(configuration.menu, "standard")
    assert 4.4 < boots.epsilon < 5
    assert 1.6 < month.epsilon < 2
    assert all(s.epsilon < 2.5 for s in exposures(configuration.menu, "strict")[:3])


@given(rhos, st.floats(1e-12, 0.1))
def test_tight_conversion_lies_below_the_simple_one(rho: float, delta: float) -> None:
    assert 0 <= epsilon(rho, delta) <= rho + 2 * math.sqrt(rho * math.log(1 / delta)) + 1e-9


@given(rhos, rhos)
def test_more_cells_reveal_more(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert epsilon(less, DELTA) <= epsilon(more, DELTA) + 1e-9
    assert best_guess(less) <= best_guess(more)


@given(st.floats(1e-4, 5), st.floats(1e-9, 1e-3))
def test_conversion_is_the_least_over_the_orders(rho: float, delta: float) -> None:
    """A search by hand over many orders finds nothing smaller, and something as small."""
    orders = [1 + 10 ** (n / 50) for n in range(-200, 400)]
    by_hand = min(a * rho + (math.log(1 / delta) + a * math.log1p(-1 / a) - math.log(a - 1)) / (a - 1) for a in orders)
    assert epsilon(rho, delta) <= max(0.0, by_hand) + 1e-9
    assert epsilon(rho, delta) == pytest.approx(max(0.0, by_hand), abs=0.01)


@pytest.mark.parametrize("sigma", [5, 12, 20])
def test_tail_of_the_gate_is_the_gaussian_one(sigma: int) -> None:
    continuous = math.erfc((6 * sigma - 0.5) / sigma / math.sqrt(2)) / 2
    assert upper_tail(sigma, 6 * sigma) == pytest.approx(continuous, rel=0.1)
    assert upper_tail(sigma, 0) + upper_tail(sigma, 1) == pytest.approx(1)


def test_gate_that_lets_too_much_through_cannot_be_accounted_for(configuration: Configuration) -> None:
    weak = configuration.menu.model_copy(update={"gate_sigmas": 4})
    with pytest.raises(UnaccountableError, match="the gate alone makes delta"):
        _ = exposures(weak, "standard")[0].epsilon
    assert any("the gate alone" in line for line in over_budget(weak, "standard", 5, 2))


def test_menu_that_reveals_more_than_its_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "menu.toml"
    finer = SHIPPED_MENU.read_text().replace('grains = ["week", "month"]', 'grains = ["day", "week", "month"]')
    path.write_text(finer)
    load_menu(load_policy(), path)  # nothing wrong with it but how much it reveals
    with pytest.raises(ConfigurationError, match=r"one boot report is in 30 cells, epsilon 5\.\d+; most_epsilon_per_"):
        read_configuration(Settings(data=tmp_path, menu=path))
    read_configuration(Settings(data=tmp_path, menu=path, most_epsilon_per_report=6))
    read_configuration(Settings(data=tmp_path, menu=path, profile="strict"))


def test_bound_per_licence_is_a_bound_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one licence in a month is in 20 cells"):
        read_configuration(Settings(data=tmp_path, most_epsilon_per_licence_month=1))
