from __future__ import annotations

from pathlib import Path

import pytest

from schemas.catalogue import SHIPPED_CATALOGUE, load_catalogue
from schemas.policy import load_policy
from schemas.problems import ConfigurationError

ENTRY = """
[products.acme-installer]
title = "Acme"
policy = "{policy}"
report = "{report}"
sources = {sources}
version_line_parts = 2
"""


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"policy": "acme-policy"}, "is under policy acme-policy"),
        ({"report": "installbuilder-run", "sources": '["installbuilder"]'}, "is for product installbuilder alone"),
        (
            {"report": "image-boot", "sources": '["installbuilder"]'},
            "image-boot comes from vm, cloud or container only",
        ),
        ({"report": "installbuilder-run", "sources": '["vm"]'}, "comes from source installbuilder only"),
        ({"sources": "[]"}, "sources"),
    ],
)
def test_entries_that_may_not_stand_in_a_catalogue_are_refused(
    tmp_path: Path, values: dict[str, str], problem: str
) -> None:
    path = tmp_path / "products.toml"
    good = {"policy": "vendor-privacy-policy", "report": "image-boot", "sources": '["vm"]'}
    path.write_text(SHIPPED_CATALOGUE.read_text() + ENTRY.format(**(good | values)))
    with pytest.raises(ConfigurationError) as caught:
        load_catalogue(load_policy(), path)
    assert any("acme-installer" in line and problem in line for line in caught.value.problems)


def test_missing_catalogue_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_catalogue(load_policy(), tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("product", "version", "line"),
    [
        ("wordpress", "6.4.2-0", "6.4"),
        ("wordpress", "6", "6"),
        ("postgresql", "17.0~rc1", "17"),
        ("mariadb", "11.4.3+maria", "11.4"),
        ("wordpress", "6.4rc1.2", "6.4"),
    ],
)
def test_version_line_is_the_leading_numbers(product: str, version: str, line: str) -> None:
    assert load_catalogue(load_policy()).products[product].version_line(version) == line


def test_added_products_join_the_catalogue_and_all_problems_of_both_come_at_once(tmp_path: Path) -> None:
    added = tmp_path / "added.toml"
    assert load_catalogue(load_policy(), added=added) == load_catalogue(load_policy())
    good = {"policy": "vendor-privacy-policy", "report": "image-boot", "sources": '["vm"]'}
    added.write_text(ENTRY.format(**good))
    assert set(load_catalogue(load_policy(), added=added).products) - set(load_catalogue(load_policy()).products) == {
        "acme-installer"
    }
    configured = tmp_path / "products.toml"
    configured.write_text(SHIPPED_CATALOGUE.read_text() + ENTRY.format(**(good | {"policy": "other"})))
    with pytest.raises(ConfigurationError) as caught:
        load_catalogue(load_policy(), configured, added)
    assert [line.split(":")[0] for line in caught.value.problems] == [str(configured), str(added)]
