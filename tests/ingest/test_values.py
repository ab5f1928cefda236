from __future__ import annotations

import datetime as dt
import json
import math
import os
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.flood import Flood
from collector.ingest.validation import Accepted, Validator
from collector.ingest.values import KnownValues, ValueBudget, read_known, write_known
from collector.noise import keyed_stream
from schemas.catalogue import Catalogue
from schemas.reports import REPORTS
from tests.conftest import ID
from tests.sample_days import DAY

BOOT = REPORTS["image-boot/1"]


def flooded(budget: ValueBudget, product: str = "redis", field: str = "os_version") -> None:
    """Brings far more new values than may come, and lets the clock look."""
    for n in range(3000):
        budget.fit(product, field, f"made-up-{n}", DAY)
    budget.look()


def test_new_values_stay_until_a_field_is_flooded_then_all_new_ones_are_other() -> None:
    budget = ValueBudget(1000)
    assert budget.fit("redis", "os_version", "debian-0", DAY) == "debian-0"
    budget.look()
    assert budget.fit("redis", "os_version", "debian-1", DAY) == "debian-1"
    flooded(budget)
    assert budget.fit("redis", "os_version", "debian-2", DAY) == "other"
    assert budget.fit("redis", "os_version", "debian-0", DAY) == "other", "who came first has no privilege"
    assert budget.fit("redis", "os_version", "", DAY) == ""
    assert budget.fit("redis", "language", "de", DAY) == "de"  # another field
    assert budget.fit("nginx", "os_version", "debian-9", DAY) == "debian-9"  # another product
    assert budget.fit("redis", "os_version", "debian-9", DAY + dt.timedelta(days=1)) == "debian-9"  # another day


def test_no_report_decides_what_becomes_of_another() -> None:
    """Two streams that differ in one report, with the same noise: between two looks every other row is the same."""
    for present in (True, False):
        budget = ValueBudget(1000, keyed_stream(b"s" * 32, ["values"]))
        fitted = [budget.fit("redis", "os_version", f"filler-{n}", DAY) for n in range(990)]
        if present:
            budget.fit("redis", "os_version", "the-victim", DAY)
        fitted += [budget.fit("redis", "os_version", "bait", DAY) for _ in range(200)]
        assert fitted[-1] == "bait"
        assert "other" not in fitted


def test_flood_betrays_little_about_one_report() -> None:
    """The best moment for a guess: filled up to the budget, does one more value bring it over?"""
    below = keyed_stream(b"s" * 32, ["games"])
    over = dict.fromkeys((True, False), 0)
    for game in range(4000):
        present = game % 2 == 1
        flood = Flood(1000, below)
        flood.values = {str(n) for n in range(1000 + present)}
        flood.look()
        over[present] += flood.is_on
    right = (over[True] + 2000 - over[False]) / 4000
    assert right < 0.5 + 0.025 + 4 * math.sqrt(0.25 / 4000)  # epsilon 0.1: at most e^0.1 / (1 + e^0.1) = 0.525
    assert 0 < over[False] < 2000


def test_a_days_many_looks_alone_are_no_flood() -> None:
    flood = Flood(1000, keyed_stream(b"s" * 32, ["looks"]))
    flood.values = {str(n) for n in range(100)}
    for _ in range(20_000):
        flood.look()
    assert not flood.is_on


def test_known_values_never_count() -> None:
    budget = ValueBudget(1000)
    budget.know({("redis", "os_version"): frozenset({"debian-12"})})
    flooded(budget)
    assert budget.fit("redis", "os_version", "hostile-2", DAY) == "other"
    assert budget.fit("redis", "os_version", "debian-12", DAY) == "debian-12"


def test_row_of_a_flooded_field_is_valid_and_its_line_is_other_too(configuration: Configuration) -> None:
    validator = Validator(configuration.policy, configuration.catalogue, lambda _k, _d: ID, lambda: ID)
    budget = ValueBudget(1000)
    flooded(budget, "wordpress", "product_version")
    body = {"source": "vm", "product": "wordpress", "product_version": "6.1.0", "os_version": "debian-12"}
    verdict = validator.validate_json(BOOT, json.dumps(body).encode(), DAY, budget)
    assert isinstance(verdict, Accepted)
    row = json.loads(verdict.row)
    assert (row["product_version"], row["version_line"], row["os_version"]) == ("other", "other", "debian-12")


def test_licence_neither_spends_the_budget_nor_falls_under_it(configuration: Configuration) -> None:
    """One licence may send many reports: what they spend would tell of it."""
    validator = Validator(configuration.policy, configuration.catalogue, lambda _k, _d: ID, lambda: ID)
    budget = ValueBudget(1000)
    run = {"product": "installbuilder", "product_version": "25.0.0", "license_key": "AAAA-BBBB-CCCC-DDDD"}

    def stored(body: dict) -> str:
        verdict = validator.validate_json(REPORTS["installbuilder-run/1"], json.dumps(body).encode(), DAY, budget)
        assert isinstance(verdict, Accepted)
        return json.loads(verdict.row)["product_version"]

    for n in range(3000):
        stored(run | {"product_version": f"25.{n}.0"})
    budget.look()
    assert stored({key: value for key, value in run.items() if key != "license_key"}) == "25.0.0"
    flooded(budget, "installbuilder", "product_version")
    assert stored({key: value for key, value in run.items() if key != "license_key"}) == "other"
    assert stored(run) == "25.0.0"


def test_published_values_and_those_that_the_catalogue_expects_are_known(
    tmp_path: Path, configuration: Configuration
) -> None:
    path = tmp_path / "known-values.json"
    write_known(path, {"redis": {"os_version": ["debian-12"]}, "nginx": {"product_version": ["1.27.3"]}})
    product = configuration.catalogue.products["nginx"].model_copy(update={"versions": ("1.28.0",)})
    known = KnownValues(path, 1000)
    known.learn(Catalogue(products={"nginx": product}))

    def fit(product: str, field: str, value: str) -> str:
        return known.budget.fit(product, field, value, DAY)

    flooded(known.budget, "nginx", "product_version")
    assert fit("nginx", "product_version", "9.9.8") == "other"
    assert fit("nginx", "product_version", "1.27.3") == "1.27.3"
    assert fit("nginx", "product_version", "1.28.0") == "1.28.0"
    write_known(path, {"nginx": {"product_version": ["9.9.8"]}})
    os.utime(path, ns=(1, 1))  # two writes within one tick of the clock
    known.look()
    assert fit("nginx", "product_version", "9.9.8") == "9.9.8"
    assert fit("nginx", "product_version", "1.28.0") == "1.28.0"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": {"b": 1}}', b"\xff"])
def test_missing_or_damaged_file_knows_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "known-values.json"
    assert read_known(path) == {}
    path.write_bytes(content)
    assert read_known(path) == {}
