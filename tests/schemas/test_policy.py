from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from schemas.policy import SHIPPED_POLICY, Source, load_policy
from schemas.problems import ConfigurationError
from schemas.reports import REPORTS, problems_with
from tests.conftest import collector


def without_permit(field: str, text: str) -> str:
    """The policy's text without the permits of one field."""
    return re.sub(rf'\[\[permits\]\]\nfield = "{field}"\n(?:[^\n]+\n)+', "", text)


def test_shipped_policy_permits_every_field_of_every_report() -> None:
    assert problems_with(load_policy()) == []


def test_no_field_outside_the_reports_is_permitted() -> None:
    fields = {name for report in REPORTS.values() for name in report.model.model_fields}
    assert load_policy().known_fields() == fields


def test_licence_key_may_come_from_installbuilder_alone() -> None:
    policy = load_policy()
    assert [source for source in get_args(Source) if policy.permits(source, "license_key")] == ["installbuilder"]


def test_model_field_without_a_clause_stops_the_start_with_one_line(tmp_path: Path) -> None:
    tightened = tmp_path / "policy.toml"
    tightened.write_text(without_permit("source", SHIPPED_POLICY.read_text()))
    result = collector("serve", "--data", str(tmp_path / "data"), "--policy", str(tightened), check=False)
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "field source of report image-boot/1: no clause permits it from vm, cloud, container" in lines[0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.replace('clause = "images.environment"', 'clause = "nowhere"', 1), "clause nowhere is missing"),
        (lambda t: t.replace('signed_off_by = "data protection officer"\n', ""), "needs `signed_off_by`"),
        (
            lambda t: t.replace('field = "language"\nsources = ["vm"', 'field = "license_key"\nsources = ["vm"'),
            "only source installbuilder may send a licence key",
        ),
        (
            lambda t: re.sub(r'status = "enforced"\nby = \[[^]]*\]', 'status = "enforced"', t, count=1),
            "names no test",
        ),
        (lambda t: t.replace("purpose = ", "purpos = ", 1), "purpos"),
        (lambda t: t + "[[permits", "not valid TOML"),
        (lambda t: t.replace('field = "report_id"', 'field = "product"'), "permit product from vm: given 2 times"),
        (
            lambda t: t.replace("expires = 2028-11-30", "expires = 2026-10-01", 1),
            "expires 2026-10-01, before its last review 2026-11-02",
        ),
        (lambda t: t.replace("expires = 2028-11-30", "expires = 2099-12-31", 1), "more than three years after"),
        (lambda t: t.replace('owner = "telemetry maintainers"', 'owner = "jo@example.com"'), "owner is a role"),
        (lambda t: t.replace('owner = "telemetry maintainers"', 'owner = ""'), "permits.0.owner"),
        (lambda t: t.replace("retention_days = 60", "retention_days = 0", 1), "permits.0.retention_days"),
        (lambda t: t.replace("last_review = 2026-11-02\n", "", 1), "permits.0.last_review: is missing"),
        (lambda t: t.replace('field = "product"\n', 'field = "product"\nwithdrawn = true\n', 1), "cannot be withdrawn"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, change, problem: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(change(SHIPPED_POLICY.read_text()))
    with pytest.raises(ConfigurationError) as caught:
        load_policy(path)
    assert any(problem in line for line in caught.value.problems), caught.value.problems


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    text = (
        SHIPPED_POLICY.read_text()
        .replace('clause = "images.usage"', 'clause = "a"')
        .replace("data protection officer", "")
    )
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_policy(path)
    assert len(caught.value.problems) >= 5
