"""Known weaknesses are told as long as they are there: each names where to look, and what it names is there."""

from __future__ import annotations

import re

import pytest

from schemas.data_dictionary import data_dictionary
from schemas.policy import load_policy
from schemas.weaknesses import Weakness, by_subject, weaknesses, weaknesses_page
from tests.conftest import PROJECT
from tests.schemas.named_tests import exists


def stands(place: str) -> bool:
    """Whether a file is there, holds the words named after it, or holds the test."""
    if "::" in place:
        return exists(place)
    file, _, words = place.partition(": ")
    path = PROJECT / file
    # Words may be broken anywhere by the end of a line.
    return path.is_file() and " ".join(words.split()) in " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("weakness", weaknesses(), ids=lambda weakness: weakness.title)
def test_what_a_weakness_names_is_there(weakness: Weakness) -> None:
    assert [place for place in weakness.see if not stands(place)] == []


def test_place_that_is_gone_is_noticed() -> None:
    assert stands("README.md: Counts are boots and runs, not installations")
    assert not stands("README.md: Counts are installations")
    assert not stands("NO-SUCH-FILE.md")
    assert not stands("tests/schemas/test_weaknesses.py::test_no_such_test")


def test_page_tells_each_with_whom_it_matters_to_and_what_limits_it() -> None:
    page = weaknesses_page()
    assert len(weaknesses()) == len({one.title for one in weaknesses()})
    assert len(re.findall(r"^### ", page, re.MULTILINE)) == len(weaknesses())
    for one in weaknesses():
        part = page.split(f"### {one.title}\n")[1].split("\n### ")[0]
        assert one.what in part
        assert f"**For whom:** {one.who}" in part
        assert f"**What limits it:** {one.limits}" in part
    assert sum(map(len, by_subject().values())) == len(weaknesses())


def test_public_page_tells_all_of_them() -> None:
    page = data_dictionary(load_policy())
    assert [one.title for one in weaknesses() if one.title not in page or one.what not in page] == []
