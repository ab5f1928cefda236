"""What everything on the menu can reveal about one unit, however it is combined. Pure.

Each released cell is a discrete Gaussian around its true count, and one unit moves a cell by one at most:
1 / (2 sigma^2) of zero-concentrated differential privacy (Bun and Steinke 2016; Canonne, Kamath and Steinke
2020 for the discrete Gaussian). What a unit spends adds up over the cells that it can move, and is turned
into (epsilon, delta) at the end (Canonne, Kamath and Steinke 2020, proposition 12).

The gate adds to delta alone: the presence of one unit can bring a cell from k - 1 units, where it is always
absent, to k, where it appears only if its noise is gate_sigmas * sigma or more. Once for each cell moved.

Two worlds are compared that differ in one unit being there or not: one report, or all that one licence sent
in a month (or in twelve). Nothing is claimed for a group of units, such as the machines of one owner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from collector.flood import EPSILON as FLOOD_EPSILON
from collector.flood import FIELDS as FLOOD_FIELDS
from collector.publish.measures import MEASURES
from collector.publish.periods import GRAINS, SO_FAR_HOURS

if TYPE_CHECKING:
    from collector.publish.menu import Menu
    from collector.publish.periods import Grain

DELTA = 1e-6
"""The delta that everything is stated at, the gate's part included."""
MONTHS_IN_A_YEAR = 12


class UnaccountableError(Exception):
    """The gate alone lets more through than delta allows: no epsilon can be stated."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one unit can move in the tables of one grain.

    Attributes:
        grain: the grain.
        cells: how many cells it moves, each by one.
        sigma: their noise.
        gate_sigmas: how many sigma above k they are released from.
    """

    grain: Grain
    cells: int
    sigma: int
    gate_sigmas: int

    @property
    def rho(self) -> float:
        """The zero-concentrated differential privacy that it spends."""
        return self.cells / (2 * self.sigma**2)

    @property
    def tail(self) -> float:
        """The chance that the gate lets a cell appear that would be absent without the unit."""
        return self.cells * upper_tail(self.sigma, self.gate_sigmas * self.sigma)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What all releases together can reveal about one unit.

    Attributes:
        unit: what is protected, in words: "one boot report".
        measure: where it counts.
        months: how many monthly releases are added up.
        shares: what it moves, by grain.
        guarded_fields: in how many fields it may bring a new value, see collector/flood.py.
    """

    unit: str
    measure: str
    months: int
    shares: tuple[Share, ...]
    guarded_fields: int = 0

    @property
    def cells(self) -> int:
        """How many released cells the unit can move."""
        return sum(share.cells for share in self.shares)

    @property
    def rho(self) -> float:
        """The zero-concentrated differential privacy that it spends."""
        return sum(share.rho for share in self.shares) + self.guard_rho

    @property
    def guard_rho(self) -> float:
        """The part of it that the guard against made-up values spends: epsilon is epsilon^2 / 2 (Bun and Steinke)."""
        return self.guarded_fields * FLOOD_EPSILON**2 / 2

    @property
    def tail(self) -> float:
        """The gate's part of delta."""
        return sum(share.tail for share in self.shares)

    @property
    def epsilon(self) -> float:
        """Epsilon at delta = DELTA, the gate's part included.

        Raises:
            UnaccountableError: the gate's part alone is more than that.
        """
        if self.tail >= DELTA:
            raise UnaccountableError(f"{self.unit}: the gate alone makes delta {self.tail:.1e}, over {DELTA:.0e}")
        return epsilon(self.rho, DELTA - self.tail)

    @property
    def stated_epsilon(self) -> float:
        """Epsilon as it is written everywhere: two decimals, rounded up, since it is claimed as the most."""
        return math.ceil(100 * self.epsilon) / 100

    @property
    def best_guess(self) -> float:
        """How often somebody who knows everything else guesses right whether the unit is there; 0.5 is chance."""
        return best_guess(self.rho)


def exposures(menu: Menu, profile: str) -> list[Exposure]:
    """What one unit of each measure can reveal: a report for ever, a licence in a month and in a year."""
    found = []
    for measure in MEASURES.values():
        if measure.per_licence:
            month = _shares(menu, profile, measure.name)
            year = tuple(_times(share, MONTHS_IN_A_YEAR) for share in month)
            found.append(Exposure(measure.unit, measure.name, 1, month))
            found.append(Exposure("one licence in a year", measure.name, MONTHS_IN_A_YEAR, year))
        else:
            shares = _shares(menu, profile, measure.name)
            found.append(Exposure(measure.unit, measure.name, 1, shares, guarded_fields=len(FLOOD_FIELDS)))
    return [exposure for exposure in found if exposure.shares]


def epsilon(rho: float, delta: float) -> float:
    """The smallest epsilon that rho implies at delta, by the tightest known general conversion.

    Args:
        rho: of zero-concentrated differential privacy, above 0.
        delta: between 0 and 1.
    """

    def at(log_order: float) -> float:
        order = 1 + math.exp(log_order)
        slack = math.log(1 / delta) + order * math.log1p(-1 / order) - math.log(order - 1)
        return order * rho + slack / (order - 1)

    # Convex in the order's logarithm: narrowed down from both sides.
    low, high = math.log(1e-6), math.log(1e9)
    for _ in range(200):
        third = (high - low) / 3
        if at(low + third) < at(high - third):
            high -= third
        else:
            low += third
    return max(0.0, at((low + high) / 2))


def best_guess(rho: float) -> float:
    """The best test's share of right answers between two equally likely worlds that differ by rho."""
    return NormalDist().cdf(math.sqrt(2 * rho) / 2)


def upper_tail(sigma: int, at_least: int) -> float:
    """The chance that the discrete Gaussian is `at_least` or more."""
    reach = 40 * sigma
    weight = [math.exp(-x * x / (2 * sigma * sigma)) for x in range(reach + 1)]
    return math.fsum(weight[at_least:]) / (2 * math.fsum(weight) - 1)


def _shares(menu: Menu, profile: str, measure: str) -> tuple[Share, ...]:
    shares = []
    for grain in GRAINS:
        tables = [table for table in menu.of(grain) if table.measure == measure]
        if tables:
            cells = len(tables) * (menu.cells_per_licence if MEASURES[measure].per_licence else 1)
            moments = len(SO_FAR_HOURS) if grain == "so_far" else 1
            shares.append(Share(grain, cells * moments, menu.sigma(tables[0], grain, profile), menu.gate_sigmas))
    return tuple(shares)


def _times(share: Share, times: int) -> Share:
    return Share(share.grain, share.cells * times, share.sigma, share.gate_sigmas)


def over_budget(menu: Menu, profile: str, most_per_report: float, most_per_licence_month: float) -> list[str]:
    """What a menu reveals beyond the bounds on epsilon, one line each."""
    found = []
    for exposure in exposures(menu, profile):
        per_licence = MEASURES[exposure.measure].per_licence
        if exposure.months > 1:
            continue
        most = most_per_licence_month if per_licence else most_per_report
        setting = "most_epsilon_per_licence_month" if per_licence else "most_epsilon_per_report"
        try:
            reveals = exposure.epsilon
        except UnaccountableError as error:
            found.append(str(error))
        else:
            if reveals > most:
                found.append(
                    f"profile {profile}: {exposure.unit} is in {exposure.cells} cells, epsilon {reveals:.2f}; "
                    f"{setting} = {most:g}: leave out tables or grains, or take more noise"
                )
    return found
