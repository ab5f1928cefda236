from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.ingest.validation import Accepted, Validator
from collector.ingest.values import KnownValues, ValueBudget, read_known, write_known
from schemas.catalogue import Catalogue
from schemas.reports import REPORTS
from tests.conftest import ID
from tests.sample_days import DAY

BOOT = REPORTS["image-boot/1"]


def test_new_values_within_the_budget_stay_and_further_ones_become_other() -> None:
    budget = ValueBudget(3)
    fitted = [budget.fit("redis", "os_version", f"debian-{n}", DAY) for n in range(5)]
    assert fitted == ["debian-0", "debian-1", "debian-2", "other", "other"]
    assert budget.fit("redis", "os_version", "debian-1", DAY) == "debian-1"  # came earlier that day
    assert budget.fit("redis", "os_version", "", DAY) == ""
    assert budget.fit("redis", "language", "de", DAY) == "de"  # another field
    assert budget.fit("nginx", "os_version", "debian-9", DAY) == "debian-9"  # another product
    assert budget.fit("redis", "os_version", "debian-9", DAY + dt.timedelta(days=1)) == "debian-9"  # another day


def test_known_values_never_count() -> None:
    budget = ValueBudget(1)
    budget.know({("redis", "os_version"): frozenset({"debian-12"})})
    assert budget.fit("redis", "os_version", "hostile-1", DAY) == "hostile-1"
    assert budget.fit("redis", "os_version", "hostile-2", DAY) == "other"
    assert budget.fit("redis", "os_version", "debian-12", DAY) == "debian-12"


def test_row_over_the_budget_is_valid_and_its_line_is_other_too(configuration: Configuration) -> None:
    validator = Validator(configuration.policy, configuration.catalogue, lambda _k, _d: ID, lambda: ID)
    budget = ValueBudget(1)
    rows = []
    for n in (1, 2):
        body = {"source": "vm", "product": "wordpress", "product_version": f"6.{n}.0", "os_version": f"debian-{n}"}
        verdict = validator.validate_json(BOOT, json.dumps(body).encode(), DAY, budget.fit)
        assert isinstance(verdict, Accepted)
        rows.append(json.loads(verdict.row))
    assert (rows[0]["product_version"], rows[0]["version_line"], rows[0]["os_version"]) == ("6.1.0", "6.1", "debian-1")
    assert (rows[1]["product_version"], rows[1]["version_line"], rows[1]["os_version"]) == ("other", "other", "other")


def test_published_values_and_those_that_the_catalogue_expects_are_known(
    tmp_path: Path, configuration: Configuration
) -> None:
    path = tmp_path / "known-values.json"
    write_known(path, {"redis": {"os_version": ["debian-12"]}, "nginx": {"product_version": ["1.27.3"]}})
    product = configuration.catalogue.products["nginx"].model_copy(update={"versions": ("1.28.0",)})
    known = KnownValues(path, 1)
    known.learn(Catalogue(products={"nginx": product}))

    def fit(product: str, field: str, value: str) -> str:
        return known.budget.fit(product, field, value, DAY)

    assert fit("nginx", "product_version", "9.9.9") == "9.9.9"  # spends the budget
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
