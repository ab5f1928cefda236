from __future__ import annotations

from pathlib import Path

import pytest

from collector.publish.menu import SHIPPED_MENU, load_menu
from schemas.policy import load_policy
from schemas.problems import ConfigurationError

EXTRA = '\n[[tables]]\nmeasure = "{measure}"\nfields = {fields}\ngrains = {grains}\n'


def test_shipped_menu_is_the_documented_one() -> None:
    menu = load_menu(load_policy())
    assert (menu.k, menu.gate_sigmas, menu.cells_per_licence) == (10, 6, 4)
    assert {(p, n.report_sigma, n.licence_sigma) for p, n in menu.profiles.items()} == {
        ("standard", 5, 12),
        ("strict", 10, 24),
    }
    assert [len(menu.of(grain)) for grain in ("day", "week", "month")] == [4, 8, 19]


@pytest.mark.parametrize(
    ("measure", "fields", "grains", "problem"),
    [
        ("licences", '["os_version", "language"]', '["day"]', "licences are released by month only"),
        ("runs", '["instance_type"]', '["month"]', "no clause permits instance_type from source installbuilder"),
        ("boots", '["license_key"]', '["month"]', "license_key is no field"),
        ("boots", '["language"]', '["month"]', "given 2 times"),
        ("runs", '["source"]', '["month"]', "this measure has one source"),
        ("boots", '["language", "source", "os_version"]', '["month"]', "at most 2 items"),
        ("people", "[]", '["month"]', "boots"),
    ],
)
def test_tables_that_may_not_stand_in_a_menu(
    tmp_path: Path, measure: str, fields: str, grains: str, problem: str
) -> None:
    path = tmp_path / "menu.toml"
    path.write_text(SHIPPED_MENU.read_text() + EXTRA.format(measure=measure, fields=fields, grains=grains))
    with pytest.raises(ConfigurationError) as caught:
        load_menu(load_policy(), path)
    assert any(problem in line for line in caught.value.problems), caught.value.problems


def test_fewer_than_ten_units_behind_a_number_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "menu.toml"
    path.write_text(SHIPPED_MENU.read_text().replace("k = 10", "k = 9"))
    with pytest.raises(ConfigurationError, match="k = 9: fewer than 10 units behind a number"):
        load_menu(load_policy(), path)


def test_fingerprint_changes_with_anything_in_the_menu(tmp_path: Path) -> None:
    path = tmp_path / "menu.toml"
    path.write_text(SHIPPED_MENU.read_text().replace("report_sigma = 5", "report_sigma = 6"))
    assert load_menu(load_policy(), path).fingerprint != load_menu(load_policy()).fingerprint
