"""The measure of utility is right where it can be checked, and the page shows what is current."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from collector.publish.menu import Menu, load_menu
from collector.publish.periods import CLOSED_GRAINS
from collector.store.engine import open_embedded
from schemas.policy import load_policy
from tests.conftest import PROJECT
from tests.utility import page, tables
from tests.utility.measure import measure
from tests.utility.shares import SIZES, Accuracy, Spread, accuracy, expected, products_seen, visible
from tests.utility.tables import PROFILES, Fleet
from tests.utility.world import DAYS, Cell, Counts

REPORTS_A_DAY = 500
PAGE = PROJECT / "deploy" / "UTILITY.md"
BY_VERSION = ("boots", "product_version")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return measure(tmp_path_factory.mktemp("utility") / "small", REPORTS_A_DAY, lambda _: None)


@pytest.fixture(scope="module")
def menu() -> Menu:
    return load_menu(load_policy())


def share(fleet: Fleet, profile: str, grain: str, breakdown: str = "product_version") -> Spread:
    return visible(fleet.world.truth, fleet.released[profile], grain, "boots", breakdown)


def total(counts: Counts, grain: str, measure: str, breakdown: str) -> int:
    return sum(
        n for cell, n in counts.items() if (cell.grain, cell.measure, cell.breakdown) == (grain, measure, breakdown)
    )


def test_true_counts_are_those_of_the_database(fleet: Fleet) -> None:
    engine = open_embedded(fleet.world.directory / "standard" / "engine")
    try:
        counted = engine.rows(
            "SELECT product, product_version, count() FROM private.counted "
            "WHERE startsWith(report, 'image-boot/') GROUP BY ALL ORDER BY ALL"
        )
        shown = engine.rows(
            "SELECT sum(n) FROM (SELECT product, product_version, count() AS n FROM private.counted "
            "WHERE startsWith(report, 'image-boot/') GROUP BY ALL) WHERE (product, product_version) IN "
            "(SELECT product, product_version FROM public.cells "
            "WHERE grain = 'month' AND measure = 'boots' AND breakdown = 'product_version')"
        )
    finally:
        engine.close()
    truth = {cell.values: n for cell, n in fleet.world.truth.items() if cell[0] == "month" and cell[2:4] == BY_VERSION}
    assert {(product, version): n for product, version, n in counted} == truth
    assert share(fleet, "standard", "month").all == shown[0][0] / sum(truth.values())
    assert 0.9 < sum(truth.values()) / (REPORTS_A_DAY * DAYS) < 1  # some are bad, some InstallBuilder's


def test_every_grain_counts_every_report_once(fleet: Fleet) -> None:
    totals = {total(fleet.world.truth, grain, "boots", b) for grain in CLOSED_GRAINS for b in ("", "product_version")}
    assert len(totals) == 1


def test_nothing_is_released_that_is_not_there_or_is_too_small(fleet: Fleet, menu: Menu) -> None:
    for released in fleet.released.values():
        assert released
        assert min(fleet.world.truth[cell] for cell in released) >= menu.k


def test_more_can_be_seen_of_longer_times_fewer_fields_and_less_noise(fleet: Fleet) -> None:
    for profile in PROFILES:
        day, week, month = (share(fleet, profile, grain).all for grain in CLOSED_GRAINS)
        assert 0 < day < week < month < 1
        of_tables = [
            share(fleet, profile, "month", breakdown).all
            for breakdown in ("product_version+instance_type", "product_version", "version_line", "")
        ]
        assert of_tables == sorted(of_tables)
        seen = [products_seen(fleet.world.truth, fleet.released[profile], grain).all for grain in CLOSED_GRAINS]
        assert seen == sorted(seen)
        assert seen[-1] <= fleet.products
    for grain in CLOSED_GRAINS:
        standard, strict = (share(fleet, profile, grain) for profile in PROFILES)
        assert strict.all < standard.all
        assert 0 <= strict.low <= strict.all <= strict.high <= 1


def test_what_is_computed_agrees_with_what_was_drawn(fleet: Fleet, menu: Menu) -> None:
    for profile in PROFILES:
        for grain in CLOSED_GRAINS:
            sigma = menu.profiles[profile].report_sigma
            computed = expected(
                fleet.world.truth, grain, "product_version", k=menu.k, sigma=sigma, gate_sigmas=menu.gate_sigmas
            )
            assert computed == pytest.approx(share(fleet, profile, grain).all, abs=0.02)


def test_error_is_that_of_the_noise_and_falls_with_size(fleet: Fleet) -> None:
    truth, released = fleet.world.truth, fleet.released["standard"]
    sizes = [accuracy(truth, released, ("boots", "runs"), size) for size in SIZES]
    errors = [size.error for size in sizes if size.error is not None]
    assert len(errors) >= 3
    assert errors == sorted(errors, reverse=True)
    off = [abs(n - truth[cell]) for cell, n in released.items() if cell.measure == "boots" and truth[cell] >= 100]
    assert 2 <= median(off) <= 5  # of a Gaussian 0.67 sigma, and sigma is 5


def cells(grain: str, **counts: int) -> Counts:
    """Boots by version; `a1=50` is 50 of version 1 of product a on the first day."""
    return {Cell(grain, "2027-02-01", *BY_VERSION, (name[0], name[1:])): n for name, n in counts.items()}


def test_shares_products_and_errors_are_computed_as_said() -> None:
    truth = cells("day", a1=50, a2=30, b1=100, b2=101) | {Cell("day", "2027-02-02", *BY_VERSION, ("a", "1")): 19}
    released = cells("day", a1=55, b2=99)
    assert visible(truth, released, "day", *BY_VERSION) == Spread(151 / 300, 0, 151 / 281)
    assert products_seen(truth, released, "day") == Spread(1, 0, 2)
    assert accuracy(truth, released, ["boots"], (40, 99)) == Accuracy(1, 1, 0.1)
    assert accuracy(truth, released, ["boots"], (100, None)) == Accuracy(2, 1, pytest.approx(2 / 101))
    assert accuracy(truth, released, ["runs"], (40, 99)) == Accuracy(0, 0, None)
    assert expected(truth, "day", "product_version", k=60, sigma=1, gate_sigmas=6) == pytest.approx(201 / 300)


def test_page_shows_the_privacy_of_the_shipped_menu_and_measured_tables(menu: Menu) -> None:
    content = PAGE.read_text(encoding="utf-8")
    again = "run: python -m tests.utility.measure --write deploy/UTILITY.md"
    assert page.part_of(content, "privacy") == tables.privacy(menu), again
    measured = page.part_of(content, "utility")
    for table in menu.of("month"):
        assert f"| {table.measure} by {' and '.join(table.fields) or 'product'} " in measured, again
    for profile in PROFILES:
        assert profile in measured
    assert f"| {menu.k} " in measured


def test_tables_can_be_made_and_written_again_and_again(fleet: Fleet, menu: Menu, tmp_path: Path) -> None:
    parts = {"privacy": tables.privacy(menu), "utility": tables.utility([fleet])}
    path = tmp_path / "page.md"
    page.write(path, parts)
    path.write_text(f"# Title\n\n{path.read_text()}\nWritten by a person.\n")
    before = path.read_text()
    page.write(path, dict.fromkeys(parts, "other"))
    assert parts["utility"] not in path.read_text()
    page.write(path, parts)
    assert path.read_text() == before


@pytest.mark.parametrize("damage", [page.begin("privacy"), page.end("privacy")])
def test_page_without_a_marker_stays_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "page.md"
    page.write(path, {"privacy": "a"})
    path.write_text(path.read_text().replace(damage, ""))
    before = path.read_text()
    with pytest.raises(page.MarkerError, match="once each"):
        page.write(path, {"privacy": "b"})
    assert path.read_text() == before
