from __future__ import annotations

from pathlib import Path

import pytest

from collector.publish.menu import SHIPPED_MENU, load_menu
from schemas.policy import load_policy
from schemas.problems import ConfigurationError
from tests.conftest import PROJECT

EXTRA = '\n[[tables]]\nmeasure = "{measure}"\nfields = {fields}\ngrains = {grains}\n'


def test_shipped_menu_is_the_documented_one() -> None:
    menu = load_menu(load_policy())
    assert (menu.k, menu.gate_sigmas, menu.cells_per_licence) == (10, 6, 4)
    assert {(p, n.report_sigma, n.licence_sigma, n.so_far_sigma) for p, n in menu.profiles.items()} == {
        ("standard", 5, 12, 20),
        ("strict", 10, 24, 40),
    }
    assert [len(menu.of(grain)) for grain in ("so_far", "day", "week", "month")] == [2, 4, 8, 19]


@pytest.mark.parametrize(
    ("measure", "fields", "grains", "problem"),
    [
        ("licences", '["os_version", "language"]', '["day"]', "licences are released by month only"),
        ("licences", '["os_version", "language"]', '["so_far"]', "licences are released by month only"),
        ("runs", '["version_line"]', '["so_far"]', "the open day is released for boots only"),
        ("runs", '["instance_type"]', '["month"]', "no clause permits instance_type from source installbuilder"),
        ("boots", '["license_key"]', '["month"]', "license_key is no field"),
        ("boots", '["language"]', '["month"]', "given 2 times"),
        ("runs", '["source"]', '["month"]', "this measure has one source"),
        ("boots", '["language", "source", "os_version"]', '["month"]', "at most 2 items"),
        ("boots", '["source", "product_version"]', '["month"]', "given 2 times"),
        ("boots", '["product_version", "version_line"]', '["month"]', "the cells are those of product_version alone"),
        ("boots", '["language", "language"]', '["month"]', "names a field twice"),
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


@pytest.mark.parametrize(
    ("shipped", "weaker", "problem"),
    [
        ("k = 10", "k = 9", "k = 9: fewer than 10 units behind a number"),
        ("gate_sigmas = 6", "gate_sigmas = 5", "gate_sigmas = 5: less than 6"),
        ("cells_per_licence = 4", "cells_per_licence = 5", "cells_per_licence = 5: more than 4"),
        ("report_sigma = 5", "report_sigma = 4", "profile standard: less noise than report_sigma 5"),
        ("licence_sigma = 12", "licence_sigma = 11", "profile standard: less noise than"),
        ("so_far_sigma = 20", "so_far_sigma = 19", "less noise than report_sigma 5, licence_sigma 12, so_far_sigma 20"),
    ],
)
def test_weaker_protection_than_the_examined_one_is_refused(
    tmp_path: Path, shipped: str, weaker: str, problem: str
) -> None:
    path = tmp_path / "menu.toml"
    path.write_text(SHIPPED_MENU.read_text().replace(shipped, weaker, 1))
    with pytest.raises(ConfigurationError, match=problem):
        load_menu(load_policy(), path)


def test_documents_state_the_thresholds_of_the_menu() -> None:
    menu = load_menu(load_policy())
    noise = menu.profiles["standard"]
    reports, licences = (menu.k + menu.gate_sigmas * sigma for sigma in (noise.report_sigma, noise.licence_sigma))
    for page in ("schemas/published/DATA.md", "README.md"):
        text = " ".join((PROJECT / page).read_text(encoding="utf-8").split())
        assert f"below about {reports} reports or {licences} licences" in text


def test_fingerprint_changes_with_anything_in_the_menu(tmp_path: Path) -> None:
    path = tmp_path / "menu.toml"
    path.write_text(SHIPPED_MENU.read_text().replace("report_sigma = 5", "report_sigma = 6"))
    assert load_menu(load_policy(), path).fingerprint != load_menu(load_policy()).fingerprint
