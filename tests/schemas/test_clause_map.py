"""Every paragraph of the policy has an answer, and a test that is named as one exists."""

from __future__ import annotations

import re

import pytest

from schemas.clause_map import clause_map
from schemas.data_dictionary import data_dictionary
from schemas.policy import Clause, load_policy
from tests.schemas.named_tests import exists

POLICY = load_policy()
CLAUSES = POLICY.clauses


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_every_test_that_a_clause_names_exists(clause: Clause) -> None:
    assert [test for test in clause.by if not exists(test)] == []


def test_test_that_is_not_there_is_noticed() -> None:
    assert exists("tests/schemas/test_clause_map.py::test_test_that_is_not_there_is_noticed")
    assert not exists("tests/schemas/test_clause_map.py::test_something_else")
    assert not exists("tests/schemas/test_no_such_file.py")
    assert not exists("tests/conftest.py"), "a file without tests answers nothing"
    assert not exists("schemas/policy.py")


def test_no_paragraph_is_left_out_of_the_map_or_of_the_public_page() -> None:
    headings = re.findall(r"^## `(.+)`$", clause_map(POLICY), re.MULTILINE)
    assert headings == [clause.id for clause in CLAUSES]
    public = data_dictionary(POLICY).split("## The policy, clause by clause")[1]
    rows = re.findall(r"^\| `([a-z.-]+)` \|", public, re.MULTILINE)
    assert rows == headings


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_every_paragraph_says_what_answers_it(clause: Clause) -> None:
    part = clause_map(POLICY).split(f"\n## `{clause.id}`\n")[1].split("\n## ")[0]
    assert clause.says in part
    assert clause.by or clause.why
    assert clause.why in part
    for test in clause.by:
        assert "::" in test, "the map names the very test"
        assert test.partition("::")[0] in part
        assert test.partition("::")[2].removeprefix("test_").replace("_", " ") in part
    for permit in POLICY.permits_:
        if permit.clause == clause.id:
            assert f"`{permit.field}`" in part
