"""The page for everybody: each field in words, why, how long, who sees it, and what changed over time."""

from __future__ import annotations

import re

import pytest

from collector.publish.menu import load_menu
from schemas.data_dictionary import SEEN, data_dictionary
from schemas.policy import Policy, load_policy
from schemas.policy_history import what_changed
from schemas.record import revisions
from schemas.reports import REPORTS, json_schema

POLICY = load_policy()
FIELDS = [(report, name) for report in REPORTS.values() for name in report.model.model_fields]


def operators(**changes: object) -> Policy:
    return POLICY.model_copy(update=changes)


@pytest.mark.parametrize(("report", "name"), FIELDS, ids=lambda value: getattr(value, "id", value))
def test_each_field_is_told_with_everything_that_holds_for_it(report, name: str) -> None:
    part = data_dictionary(POLICY).split(f"\n## {report.id}\n")[1].split("\n## ")[0]
    rows = re.findall(rf"^\| `{name}` \|.*$", part, re.MULTILINE)
    assert len(rows) == 2
    permit = POLICY.permit(report.sources[0], name)
    assert permit is not None
    meant = (json_schema(report)["properties"][name]["description"], permit.purpose, f"{permit.retention_days} days")
    terms = (permit.clause, permit.owner, str(permit.last_review), str(permit.expires), report.sources[0])
    assert [said for said in (*meant, SEEN[name]) if said not in rows[0]] == []
    assert [said for said in terms if said not in rows[1]] == []


def test_who_sees_a_field_agrees_with_what_is_published() -> None:
    published = {field for table in load_menu(POLICY).tables for field in table.fields}
    read_by_somebody = {name for name, seen in SEEN.items() if seen.startswith("Readers")}
    assert published - {"version_line"} <= read_by_somebody
    assert read_by_somebody <= published | {"product"}
    assert set(SEEN) == {name for _, name in FIELDS}


def test_history_tells_every_revision_the_latest_first() -> None:
    told = re.findall(r"^### Revision ([0-9]+), ([0-9-]+)$", "\n".join(what_changed(POLICY)), re.MULTILINE)
    assert told == [(str(policy.revision), str(policy.revised)) for policy in reversed(revisions())]


def test_next_revision_is_told_by_what_it_changes() -> None:
    later = operators(revision=POLICY.revision + 1, contact="dpo@example.com")
    newest = "\n".join(what_changed(later)).split("### Revision")[1]
    assert newest.startswith(f" {later.revision}")
    assert "The policy's contact is dpo@example.com, before privacy@example.com." in newest
    assert "operator" not in newest


def test_policy_that_an_operator_tightened_says_so() -> None:
    permits = tuple(p.model_copy(update={"withdrawn": True}) if p.field == "language" else p for p in POLICY.permits_)
    newest = "\n".join(what_changed(operators(permits_=permits))).split("### Revision")[1]
    assert "as this collector's operator changed it" in newest
    assert "`language` from vm, cloud, container is withdrawn" in newest


def test_policy_of_somebody_else_is_not_compared_with_the_shipped_one() -> None:
    text = "\n".join(what_changed(operators(id="acme-policy")))
    assert "### Revision" not in text
    assert "a policy of its own" in text
