"""Formats are compared exactly: what is said to be refused is, and nothing else."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.patterns import refused_by
from schemas.reports import REPORTS, json_schema

FORMATS = [
    (field["pattern"], field["maxLength"])
    for report in REPORTS.values()
    for field in json_schema(report)["properties"].values()
    if "pattern" in field
]
ATOM = st.sampled_from(["a", "b", "[ab]", "[^a]", r"\.", "(a|b)", "(ab)", "(a|)"])
ITEM = st.tuples(ATOM, st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}"])).map("".join)
BRANCH = st.lists(ITEM, min_size=1, max_size=3).map("".join)
PATTERN = st.lists(BRANCH, min_size=1, max_size=2).map(lambda branches: f"^({'|'.join(branches)})$")
SHORT = ["".join(text) for length in range(5) for text in itertools.product("ab.", repeat=length)]


@pytest.mark.parametrize(("pattern", "most"), FORMATS)
def test_format_takes_what_it_takes(pattern: str, most: int) -> None:
    assert refused_by(pattern, pattern, most) is None


@pytest.mark.parametrize(
    ("after", "before", "lost"),
    [
        ("^[a-z]+$", "^[a-z][a-z0-9]*$", "a0"),
        ("^[a-z][a-z0-9]*$", "^[a-z]+$", None),
        ("^[0-9]{8,20}$", "^[0-9]{7,20}$", "0000000"),
        ("^a{0,4}$", "^a*$", "aaaaa"),
        ("^[a-z]+(-[a-z]+)?$", "^[a-z]+(-[a-z]+)*$", "a-a-a"),
        ("^(und|[a-z]{2})$", "^(und|[a-z]{2,3})$", "aaa"),
        ("^[^.]+$", "^.+$", "."),
    ],
)
def test_shortest_text_that_is_refused_is_named(after: str, before: str, lost: str | None) -> None:
    assert refused_by(after, before, 48) == lost


def test_texts_longer_than_the_field_do_not_count() -> None:
    assert refused_by("^a{0,4}$", "^a*$", 4) is None


@given(PATTERN, PATTERN)
def test_agrees_with_trying_every_short_text(after: str, before: str) -> None:
    lost = [text for text in SHORT if re.fullmatch(before[1:-1], text) and not re.fullmatch(after[1:-1], text)]
    found = refused_by(after, before, 4)
    if lost:
        assert found is not None
        assert len(found) <= len(min(lost, key=len))  # shorter where it needs a letter that SHORT lacks
    if found is not None:
        assert re.fullmatch(before[1:-1], found)
        assert not re.fullmatch(after[1:-1], found)


@pytest.mark.parametrize("pattern", ["a", "^a", "^(?=a)a$", r"^\d$", "^(a$", "^a)$", "^[$", "^(?:a)$", r"^(a)\1$"])
def test_pattern_that_is_not_understood_is_not_believed(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|group"):
        refused_by(pattern, "^a$", 4)
