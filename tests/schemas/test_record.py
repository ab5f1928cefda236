"""What was promised to clients once is kept: a new state of a report or of the policy breaks none that is out."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.compatibility import narrowed
from schemas.policy import SHIPPED_POLICY, Policy, load_policy
from schemas.problems import ConfigurationError
from schemas.record import RECORD, accepted_ever, accepted_now, additions, record_problems, revisions, schemas_ever
from schemas.reports import REPORTS, json_schema

BOOT, RUN = (json_schema(report) for report in REPORTS.values())


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A copy of the record, to write another past into."""
    return Path(shutil.copytree(RECORD, tmp_path / "history"))


def test_every_promise_is_kept() -> None:
    assert record_problems(load_policy()) == []


def test_everything_that_is_accepted_today_is_recorded() -> None:
    for report in ("image-boot-1", "installbuilder-run-1"):
        assert accepted_now(report)
        assert accepted_now(report).items() <= accepted_ever(report).items(), "run: make schemas"


def test_schema_and_policy_of_today_are_recorded() -> None:
    for report in REPORTS.values():
        assert schemas_ever(f"{report.name}-{report.version}")[-1] == json_schema(report), "run: make schemas"
    assert revisions()[-1] == load_policy(), "a changed policy is a new revision; then: make schemas"


def test_revisions_follow_one_another_and_have_their_day() -> None:
    assert [policy.revision for policy in revisions()] == list(range(1, len(revisions()) + 1))
    days = [policy.revised for policy in revisions()]
    assert None not in days
    assert days == sorted(days, key=str)


def test_example_that_disappears_is_missed_until_it_is_ended_with_a_reason(record: Path) -> None:
    file = record / "image-boot-1" / "accepted.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"vm-of-old": {"product": "wordpress"}}))
    (problem,) = record_problems(load_policy(), record=record)
    assert problem.startswith("example image-boot-1/vm-of-old.pass.json is gone or changed")
    what = '[[ended]]\nwhat = "example image-boot-1/vm-of-old"\n'
    ended = f'{what}reason = "No client of that time is left."\non = 2031-01-31\n'
    (record / "withdrawn.toml").write_text(ended)
    assert record_problems(load_policy(), record=record) == []
    for line in ended.splitlines()[2:]:
        (record / "withdrawn.toml").write_text(ended.replace(f"{line}\n", ""))
        with pytest.raises(ConfigurationError, match="is missing"):
            record_problems(load_policy(), record=record)


def test_example_that_changes_is_missed_too(record: Path) -> None:
    file = record / "image-boot-1" / "accepted.json"
    examples = json.loads(file.read_text())
    examples["vm-minimal"]["product_version"] = "1.2.3"
    file.write_text(json.dumps(examples))
    assert "vm-minimal.pass.json is gone or changed" in record_problems(load_policy(), record=record)[0]


def test_report_that_is_gone_is_missed(record: Path) -> None:
    shutil.copytree(record / "image-boot-1", record / "image-boot-0")
    assert record_problems(load_policy(), record=record) == [
        "report image-boot/0 is gone, and clients send it; or end it in withdrawn.toml"
    ]


def test_narrower_report_of_the_same_version_is_a_problem_and_a_wider_one_is_recorded(record: Path) -> None:
    file = record / "image-boot-1" / "schema-1.json"
    earlier = json.loads(file.read_text())
    earlier["properties"]["product"]["maxLength"] = 64
    file.write_text(json.dumps(earlier))
    assert record_problems(load_policy(), record=record) == [
        "report image-boot/1: field product may be 48 characters long, and might be 64"
    ]
    earlier["properties"]["product"]["maxLength"] = 40
    file.write_text(json.dumps(earlier))
    assert record_problems(load_policy(), record=record) == []
    assert Path("image-boot-1/schema-2.json") in additions(load_policy(), record)


def test_record_grows_and_nothing_in_it_is_replaced(record: Path) -> None:
    file = record / "image-boot-1" / "accepted.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"vm-of-old": {}}))
    kept = json.loads(additions(load_policy(), record)[Path("image-boot-1/accepted.json")])
    assert kept["vm-of-old"] == {}
    assert not [path for path in additions(load_policy(), record) if path.name.startswith("policy-")]


def changed_policy(change: Callable[[str], str], tmp_path: Path) -> Policy:
    text = change(SHIPPED_POLICY.read_text(encoding="utf-8"))
    assert text != SHIPPED_POLICY.read_text(encoding="utf-8")
    (tmp_path / "changed.toml").write_text(text, encoding="utf-8")
    return load_policy(tmp_path / "changed.toml")


def newer(text: str) -> str:
    return text.replace(f"revision = {load_policy().revision}", f"revision = {load_policy().revision + 1}")


def test_policy_that_changes_without_a_new_revision_is_a_problem(tmp_path: Path) -> None:
    policy = changed_policy(lambda text: text.replace("privacy@example.com", "dpo@example.com"), tmp_path)
    (problem,) = record_problems(policy)
    assert "give it revision" in problem
    policy = changed_policy(lambda text: newer(text.replace("privacy@example.com", "dpo@example.com")), tmp_path)
    assert record_problems(policy) == []
    assert Path(f"policy-{policy.revision}.toml") in additions(policy)


def test_field_once_permitted_is_withdrawn_and_never_removed(tmp_path: Path) -> None:
    permit = 'field = "instance_type"\n'
    policy = changed_policy(lambda text: newer(text.replace(permit, f"{permit}withdrawn = true\n")), tmp_path)
    assert record_problems(policy) == []
    fewer = f'{permit}sources = ["vm", "cloud"]'
    policy = changed_policy(
        lambda text: newer(text.replace(f'{permit}sources = ["vm", "cloud", "container"]', fewer)), tmp_path
    )
    assert any("permit instance_type from container of revision 1 is gone" in line for line in record_problems(policy))


def test_paragraph_once_answered_is_not_left_out(tmp_path: Path) -> None:
    policy = changed_policy(lambda text: newer(text.replace('id = "newsletter"', 'id = "mailings"')), tmp_path)
    assert any("clause newsletter of revision 1 is gone" in line for line in record_problems(policy))


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        for name in path[:-1]:
            schema = schema[name]
        del schema[path[-1]]

    return change


def with_(value: object, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        for name in path[:-1]:
            schema = schema[name]
        schema[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_([*BOOT["required"], "language"], "required"), "field language has become required"),
        (without("properties", "language"), "field language is gone"),
        (with_("integer", "properties", "language", "type"), "field language is integer, and was string"),
        (with_(8, "properties", "language", "maxLength"), "may be 8 characters long, and might be 12"),
        (with_(["vm", "cloud"], "properties", "source", "enum"), "field source may not be container any more"),
        (with_(["en"], "properties", "language", "enum"), "field language must be one of en"),
        (with_("^[a-z]{2}$", "properties", "language", "pattern"), "field language does not take 'aaa' any more"),
        (with_("^(?=x)x$", "properties", "language", "pattern"), "cannot be compared"),
        (with_(3, "properties", "language", "minLength"), "has minLength, which cannot be compared yet"),
    ],
)
def test_what_would_refuse_old_clients_is_named(change: Callable[[dict[str, Any]], None], said: str) -> None:
    after = copy.deepcopy(BOOT)
    change(after)
    (line,) = narrowed(BOOT, after)
    assert said in line


@pytest.mark.parametrize(
    "change",
    [
        with_(["product"], "required"),
        with_(200, "properties", "language", "maxLength"),
        with_(["vm", "cloud", "container", "edge"], "properties", "source", "enum"),
        with_("^[A-Za-z0-9-]+$", "properties", "language", "pattern"),
        without("properties", "language", "pattern"),
        with_({"type": "string"}, "properties", "edition"),
        with_("Another word for it.", "properties", "language", "description"),
    ],
)
def test_what_takes_more_or_says_more_breaks_nobody(change: Callable[[dict[str, Any]], None]) -> None:
    after = copy.deepcopy(BOOT)
    change(after)
    assert narrowed(BOOT, after) == []


def test_further_fields_may_not_be_forbidden_later() -> None:
    before = {name: value for name, value in RUN.items() if name != "additionalProperties"}
    assert narrowed(before, RUN) == ["further fields were allowed and are not any more"]
