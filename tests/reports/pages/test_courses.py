"""Products side by side, as functions."""

from __future__ import annotations

import datetime as dt

import pytest

from collector.reports.pages import courses
from collector.reports.pages.courses import Change, Row
from collector.reports.pages.freshness import freshness

PERIODS = ("2026-09-07", "2026-09-14", "2026-09-21")


def row(name: str, value: int | None = None, change: Change | None = None) -> Row:
    return Row(name, name.title(), "boots", "", value, None if value is None else 10, change, None)


def test_change_within_its_error_is_not_clear() -> None:
    assert courses.change((120, 10), (100, 10)) == Change(20, 15, 0.2)
    assert courses.change((120, 10), (100, 10)).is_clear  # type: ignore[union-attr]
    assert not courses.change((115, 10), (100, 10)).is_clear  # type: ignore[union-attr]
    assert courses.change(None, (100, 10)) is None
    assert courses.change((100, 10), None) is None


def test_movers_are_only_those_that_moved_clearly_the_largest_share_first() -> None:
    rows = [
        row("a", 110, Change(10, 15, 0.1)),
        row("b", 200, Change(100, 15, 1.0)),
        row("c", 2000, Change(200, 15, 0.11)),
        row("d", 50, Change(-50, 15, -0.5)),
        row("e"),
    ]
    assert [one.name for one in courses.movers(rows, "up")] == ["b", "c"]
    assert [one.name for one in courses.movers(rows, "down")] == ["d"]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("product", "abc"),
        ("-product", "cba"),
        ("value", "cab"),
        ("-value", "acb"),
        ("change", "acb"),
        ("-change", "cab"),
    ],
)
def test_rows_sort_both_ways_and_what_has_no_value_comes_last(sort: str, names: str) -> None:
    rows = [row("b"), row("c", 5, Change(9, 1, 0.9)), row("a", 7, Change(1, 1, 0.1))]
    assert "".join(one.name for one in courses.ordered(rows, sort)) == names


def test_search_finds_parts_of_names_and_titles() -> None:
    rows = [row("wordpress"), Row("node", "Node.js", "", "", None, None, None, None)]
    assert [one.name for one in courses.matching(rows, " PRESS")] == ["wordpress"]
    assert [one.name for one in courses.matching(rows, ".JS")] == ["node"]
    assert courses.matching(rows, "<script>") == []


def test_product_that_left_the_catalogue_is_still_listed() -> None:
    of = courses.Totals("boots", "week", PERIODS, {"gone": {PERIODS[-1]: (500, 10)}})
    found = courses.rows({"wordpress": "WordPress"}, {"wordpress": "boots"}, [of])
    assert [(one.title, one.value) for one in found] == [("WordPress", None), ("gone", 500)]


def test_nothing_is_compared_with_a_period_that_lacks_something() -> None:
    course = {"wordpress": {PERIODS[1]: (300, 10), PERIODS[2]: (500, 10)}}
    for incomplete, known in ((PERIODS[0], True), (PERIODS[1], False), (PERIODS[2], False)):
        of = courses.Totals("boots", "week", PERIODS, course, frozenset({incomplete}))
        (found,) = courses.rows({"wordpress": "WordPress"}, {"wordpress": "boots"}, [of])
        assert (found.change is not None) == known


def test_sparkline_begins_at_zero_and_has_a_gap_where_nothing_is_shown() -> None:
    course = {PERIODS[0]: (40, 10), "2026-09-28": (90, 10), "2026-10-05": (45, 10)}
    made = courses.sparkline((*PERIODS, "2026-09-28", "2026-10-05"), course, "week")
    assert made is not None
    assert made.lines == ("89.0,4.6 118.0,16.3",)
    assert made.dots == ((2, 17.6), (118.0, 16.3)), "a value alone, and the latest"
    assert made.words.startswith("3 weeks, from 40")
    assert courses.sparkline(PERIODS, {}, "week") is None


def test_sparkline_does_not_fall_to_a_period_that_lacks_days() -> None:
    course = {PERIODS[0]: (80, 10), PERIODS[1]: (90, 10), PERIODS[2]: (20, 10)}
    made = courses.sparkline(PERIODS, course, "week", frozenset({PERIODS[2]}))
    assert made is not None
    (line,) = made.lines
    assert len(line.split()) == 2, "the line ends before it"
    assert [x for x, _ in made.hollow] == [118.0]
    assert "to 90" in made.words


@pytest.mark.parametrize(
    ("through", "hour", "said"),
    [
        (None, 9, "Nothing is released yet; the first day closes about 2026-11-26 00:30 UTC."),
        (dt.date(2026, 11, 24), 9, "Data through 2026-11-24; next release about 2026-11-26 00:30 UTC."),
        (dt.date(2026, 11, 23), 1, "Data through 2026-11-23; next release about 2026-11-25 00:30 UTC."),
        (
            dt.date(2026, 11, 23),
            9,
            "Data through 2026-11-23; the next release was due 2026-11-25 00:30 UTC and waits for late reports.",
        ),
    ],
)
def test_freshness(through: dt.date | None, hour: int, said: str) -> None:
    assert freshness(through, dt.datetime(2026, 11, 25, hour, tzinfo=dt.UTC), 30) == said
