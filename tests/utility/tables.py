"""The measured figures as Markdown tables, which can be read as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from collector.publish.accounting import Exposure, exposures
from collector.publish.menu import Menu, Profile, Table
from collector.publish.periods import CLOSED_GRAINS
from collector.publish.protection import error_95
from tests.utility.shares import SIZES, Spread, accuracy, expected, products_seen, visible
from tests.utility.world import Counts, World

PROFILES = ("standard", "strict")
CHOICES = ((10, 5), (25, 5), (50, 5), (100, 5), (10, 10), (10, 20), (10, 40))
"""Pairs of k and report_sigma to compare."""
# As in the shipped menu; the open day so far is released with this many times the noise.
_SO_FAR_TIMES = 4


@dataclass(frozen=True)
class Fleet:
    """One simulated fleet, and what each profile released of it."""

    world: World
    released: Mapping[str, Counts]

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.world.reports_a_day:,} a day"

    @property
    def products(self) -> int:
        """How many products report boots."""
        return len(self.world.products)


def utility(fleets: Sequence[Fleet]) -> str:
    """Everything that is measured, one headed table after the other."""
    menu = fleets[0].world.configuration.menu
    shipped = [fleet for fleet in fleets if fleet.products == fleets[0].products]
    parts = {
        "Boots that can be seen by version": _by_version(fleets),
        "Products that can be seen by version": _products(fleets),
        f"What can be seen of every table by month, {shipped[0].products} products": _by_table(shipped, menu),
        "Error by size, boots and runs": _by_size(shipped, ("boots", "runs")),
        "Error by size, licences": _by_size(shipped, ("licences",)),
    }
    for number in sorted({fleet.products for fleet in fleets}):
        alike = [fleet for fleet in fleets if fleet.products == number]
        parts[f"What k and sigma would show by version, {number} products"] = _choices(alike, menu)
    return "\n\n".join(f"### {title}\n\n{table}" for title, table in parts.items())


def privacy(menu: Menu) -> str:
    """What each profile lets be known of one unit; follows from the menu alone."""
    rows = []
    for unit in exposures(menu, PROFILES[0]):
        both = [_unit(menu, profile, unit.unit) for profile in PROFILES]
        rows.append([unit.unit, str(unit.cells), *(f(one) for one in both for f in (_epsilon, _guess))])
    heads = [f"{what}, {profile}" for profile in PROFILES for what in ("epsilon", "best guess")]
    return _table(["what is protected", "cells", *heads], rows)


def _by_version(fleets: Sequence[Fleet]) -> str:
    def share(fleet: Fleet, profile: str, grain: str) -> str:
        return _percent(visible(fleet.world.truth, fleet.released[profile], grain, "boots", "product_version"))

    return _by_grain(fleets, share)


def _products(fleets: Sequence[Fleet]) -> str:
    def seen(fleet: Fleet, profile: str, grain: str) -> str:
        spread = products_seen(fleet.world.truth, fleet.released[profile], grain)
        return _with_range(f"{spread.all:.0f}", f"{spread.low:.0f}", f"{spread.high:.0f}")

    return _by_grain(fleets, seen)


def _by_grain(fleets: Sequence[Fleet], figure: Callable[[Fleet, str, str], str]) -> str:
    rows = [
        [fleet.name, str(fleet.products), profile, *(figure(fleet, profile, grain) for grain in CLOSED_GRAINS)]
        for fleet in fleets
        for profile in PROFILES
    ]
    return _table(["reports", "products", "profile", *CLOSED_GRAINS], rows)


def _by_table(fleets: Sequence[Fleet], menu: Menu) -> str:
    def share(fleet: Fleet, profile: str, table: Table) -> str:
        spread = visible(fleet.world.truth, fleet.released[profile], "month", table.measure, table.breakdown)
        return f"{spread.all:.0%}"

    rows = [
        [f"{t.measure} by {' and '.join(t.fields) or 'product'}", *(share(f, p, t) for f in fleets for p in PROFILES)]
        for t in menu.of("month")
    ]
    return _table(["table", *_heads(fleets)], rows)


def _by_size(fleets: Sequence[Fleet], measures: tuple[str, ...]) -> str:
    rows = []
    for size in SIZES:
        row = [f"{size[0]:,}-{size[1]:,}" if size[1] else f"{size[0]:,} and more"]
        for fleet in fleets:
            for profile in PROFILES:
                found = accuracy(fleet.world.truth, fleet.released[profile], measures, size)
                row.append("-" if found.error is None else f"{found.error:.2%} ({found.released:,} of {found.cells:,})")
        rows.append(row)
    return _table(["true count", *_heads(fleets)], rows)


def _choices(fleets: Sequence[Fleet], menu: Menu) -> str:
    rows = []
    for k, sigma in CHOICES:
        boots = _with_noise(menu, sigma)
        shares = [
            f"{expected(f.world.truth, grain, 'product_version', k=k, sigma=sigma, gate_sigmas=menu.gate_sigmas):.0%}"
            for f in fleets
            for grain in CLOSED_GRAINS
        ]
        rows.append([str(k), str(sigma), str(k + menu.gate_sigmas * sigma), f"± {error_95(sigma)}", *shares])
        rows[-1] += [_epsilon(boots), _guess(boots)]
    heads = [f"{grain}, {f.name}" for f in fleets for grain in CLOSED_GRAINS]
    return _table(["k", "sigma", "shown from", "error", *heads, "epsilon", "best guess"], rows)


def _with_noise(menu: Menu, sigma: int) -> Exposure:
    """One boot report's exposure under another sigma."""
    profile = Profile(
        report_sigma=sigma, licence_sigma=menu.profiles["standard"].licence_sigma, so_far_sigma=_SO_FAR_TIMES * sigma
    )
    other = menu.model_copy(update={"profiles": {"other": profile}})
    return next(one for one in exposures(other, "other") if one.measure == "boots")


def _unit(menu: Menu, profile: str, unit: str) -> Exposure:
    return next(one for one in exposures(menu, profile) if one.unit == unit)


def _epsilon(exposure: Exposure) -> str:
    return f"{exposure.epsilon:.1f}"


def _guess(exposure: Exposure) -> str:
    return f"{exposure.best_guess:.0%}"


def _heads(fleets: Sequence[Fleet]) -> list[str]:
    return [f"{fleet.name}, {profile}" for fleet in fleets for profile in PROFILES]


def _percent(spread: Spread) -> str:
    return _with_range(f"{spread.all:.0%}", f"{100 * spread.low:.0f}", f"{100 * spread.high:.0f}")


def _with_range(value: str, low: str, high: str) -> str:
    return value if low == high else f"{value} ({low} to {high})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(f"| {' | '.join(f'{c:<{w}}' for c, w in zip(line, widths, strict=True))} |" for line in lines)
