"""Charts as functions: numbers, words and specifications, and that they can be drawn."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from collector.reports.charts import series
from collector.reports.charts.bar_chart import bar_chart
from collector.reports.charts.drawing import draw
from collector.reports.charts.heat_map import heat_map
from collector.reports.charts.line_chart import line_chart
from collector.reports.charts.look import WIDTHS, Look
from collector.reports.charts.series import Count, Share
from collector.reports.charts.theme import THEMES
from collector.reports.charts.words import (
    NOT_SHOWN,
    OTHERS,
    label,
    percent_error,
    period_name,
    signed,
    signed_percent,
    with_error,
)

WEEKS = ["2026-09-07", "2026-09-14", "2026-09-21"]
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'&]]>",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "v" * 400,
    "datum.x",
    "[a].b",
    "#{1+1}",
]


def cell(period: str, value: int | None, error: int | None = 10, **fields: str) -> dict[str, Any]:
    return {"period": period, "product": "wordpress", "value": value, "error": error, **fields}


def answer(cells: list[dict], remainder: list[dict] | None = None, periods: list[str] | None = None) -> dict[str, Any]:
    return {
        "measure": "boots",
        "grain": "week",
        "periods": periods or WEEKS,
        "cells": cells,
        "remainder": remainder or [],
        "simulated": False,
    }


def versions(*values: tuple[str, str, int]) -> list[dict]:
    return [cell(period, value, product_version=version) for period, version, value in values]


TOTALS = {week: Count(1000, 10) for week in WEEKS}


def test_share_has_the_error_of_both_numbers() -> None:
    part = Count(250, 10).part_of(Count(1000, 20))
    assert part == Share(0.25, math.hypot(10, 0.25 * 20) / 1000)
    assert Count(5, 1).part_of(Count(0, 10)) is None
    assert Count(5, 1).part_of(None) is None


def test_lines_are_the_largest_now_and_at_their_height_and_the_rest_is_added_up() -> None:
    cells = versions(*[(WEEKS[2], f"2.{n}", 100 - n) for n in range(9)], (WEEKS[0], "1.0", 500), (WEEKS[0], "1.1", 60))
    rest = [{"period": WEEKS[2], "product": "wordpress", "value": 40, "error": 30}]
    found = series.lines(answer(cells, rest), TOTALS, "product_version")
    names = [one.name for one in found]
    assert names == ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "1.0", OTHERS, NOT_SHOWN]
    others = found[-2]
    assert others.counts[WEEKS[2]] == Count(94 + 93 + 92, 18), "errors add up in squares, rounded up once"
    assert others.counts[WEEKS[0]] == Count(60, 10)
    assert found[-1].shares[WEEKS[2]].share == 0.04
    assert found[0].shares[WEEKS[2]].error == pytest.approx(math.hypot(10, 1) / 1000)


def test_two_hundred_versions_make_at_most_nine_lines_and_fourteen_bars() -> None:
    cells = versions(*[(week, f"1.{n}", 1000 - n) for week in WEEKS for n in range(200)])
    rest = [{"period": WEEKS[0], "product": "wordpress", "value": 4, "error": 3}]
    assert len(series.lines(answer(cells, rest), TOTALS, "product_version")) == 9
    found = series.bars(answer([c for c in cells if c["period"] == WEEKS[0]], rest), TOTALS, "product_version")
    assert [one.name for one in found[:2]] == ["1.0", "1.1"]
    assert [one.name for one in found[12:]] == [OTHERS, NOT_SHOWN]


def test_values_that_were_hidden_are_one_value_in_a_chart() -> None:
    found = series.bars(answer(versions((WEEKS[0], "(hidden)", 50), (WEEKS[0], "(hidden)", 40))), {}, "product_version")
    assert [(one.name, one.count.value, one.share) for one in found] == [("(hidden)", 90, None)]


def test_without_a_shown_value_nothing_is_said_of_the_rest() -> None:
    rest = [{"period": WEEKS[2], "product": "wordpress", "value": 40, "error": 30}]
    assert series.lines(answer([], rest), TOTALS, "product_version") == []
    assert series.bars(answer([], rest), TOTALS, "product_version") == []


def test_value_that_is_not_known_is_not_drawn_as_zero() -> None:
    known = versions((WEEKS[0], "1.0", 70), (WEEKS[2], "1.0", 90))
    unknown = cell(WEEKS[1], None, None, product_version="1.0")
    (line,) = series.lines(answer([*known, unknown]), TOTALS, "product_version")
    assert list(line.counts) == [WEEKS[0], WEEKS[2]]
    rows = line_chart([line], WEEKS, "week", Look())["data"]["values"]
    assert [row["y"] for row in rows] == [0.07, None, 0.09]
    assert [row.get("alone") for row in rows] == [True, None, True], "a whisker where no band would be seen"


def test_incomplete_period_is_a_hollow_point_without_a_line_to_it() -> None:
    found = series.total(answer([cell(week, 100) for week in WEEKS], periods=list(WEEKS)), "WordPress")
    spec = line_chart(found, WEEKS, "week", Look(), incomplete=[WEEKS[2]])
    rows = spec["data"]["values"]
    assert [(row["y"], row["high"], row["lacking"]) for row in rows] == [
        (100, 110, None),
        (100, 110, None),
        (None, None, 100),
    ]
    assert [row.get("alone") for row in rows] == [False, False, None]
    (hollow,) = [layer for layer in spec["layer"] if layer["encoding"]["y"]["field"] == "lacking"]
    assert hollow["mark"]["filled"] is False
    whole = line_chart(found, WEEKS, "week", Look())
    assert all(layer["encoding"]["y"]["field"] != "lacking" for layer in whole["layer"])


def test_every_line_has_its_band_and_every_bar_its_whisker() -> None:
    found = series.lines(answer(versions(*[(week, "1.0", 100) for week in WEEKS])), TOTALS, "product_version")
    spec = line_chart(found, WEEKS, "week", Look())
    band = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "area")
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("low", "high")
    row = spec["data"]["values"][0]
    assert row["low"] == pytest.approx(0.1 - found[0].shares[WEEKS[0]].error)
    bars = bar_chart(series.bars(answer(versions((WEEKS[0], "1.0", 5))), TOTALS, "product_version"), Look())
    assert [(row["low"], row["high"]) for row in bars["data"]["values"]] == [(0, 15)], "never below nothing"
    assert {"rule", "tick", "bar", "text"} == {layer["mark"]["type"] for layer in bars["layer"]}


def test_latest_period_has_a_tick() -> None:
    days = [f"2026-{month:02}-{day:02}" for month in (7, 8) for day in range(1, 29)]
    found = series.total(answer([cell(day, 100) for day in days], periods=days), "WordPress")
    ticks = line_chart(found, days, "day", Look(size="narrow"))["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert len(ticks) <= 3
    assert ticks[-1] == 1_787_875_200_000  # 2026-08-28


def test_grid_keeps_the_largest_rows_and_columns() -> None:
    cells = [
        cell(WEEKS[0], 1000 - 10 * v - s, product_version=f"1.{v}", os_version=f"os-{s}")
        for v, s in itertools.product(range(20), range(10))
    ]
    grid = series.grid(answer(cells), "product_version", "os_version")
    assert (len(grid.rows), len(grid.columns), grid.more_rows, grid.more_columns) == (14, 8, 6, 2)
    rows = heat_map(grid, "version", "operating system", Look())["data"]["values"]
    assert len(rows) == 14 * 8
    assert rows[0]["text"] == "1,000"


@pytest.mark.parametrize("form", ["svg", "png"])
def test_charts_of_hostile_values_are_only_pictures(form: str) -> None:
    values = versions(*[(week, name, 100) for week in WEEKS for name in HOSTILE])
    found = series.lines(answer(values), TOTALS, "product_version")
    bars = series.bars(answer([v for v in values if v["period"] == WEEKS[0]]), TOTALS, "product_version")
    pairs = [cell(WEEKS[0], 50, product_version=name, os_version=name) for name in HOSTILE]
    grid = series.grid(answer(pairs), "product_version", "os_version")
    for size in WIDTHS:
        look = Look("dark", size, ("<b>title</b>", ("sub & title", "]]>")))
        for spec in (
            line_chart(found, WEEKS, "week", look),
            bar_chart(bars, look),
            heat_map(grid, "version", "system", look),
        ):
            made = draw(spec, form, "<i>title</i>", "]]> & words")  # type: ignore[arg-type]
            if form == "png":
                assert made.startswith(b"\x89PNG\r\n")
                continue
            tree = ET.fromstring(made)  # noqa: S314 - drawn here
            tags = {one.tag.rpartition("}")[2] for one in tree.iter()}
            assert not tags & {"script", "style", "foreignObject", "image", "a", "b", "i"}
            assert not [
                one for one in tree.iter() if "style" in one.attrib or any(a.startswith("on") for a in one.attrib)
            ]
            assert [one.text for one in tree[:2]] == ["<i>title</i>", "]]> & words"]
            assert not re.search(r"https?://(?!www\.w3\.org/)", made.decode())


def test_pictures_are_as_wide_as_they_say() -> None:
    bars = series.bars(
        answer(versions((WEEKS[0], "1.0", 500), (WEEKS[0], "a-rather-long-version-2026.1", 5))), {}, "product_version"
    )
    for size, width in WIDTHS.items():
        tree = ET.fromstring(draw(bar_chart(bars, Look(size=size)), "svg", "", ""))  # noqa: S314 - drawn here
        assert abs(float(tree.attrib["width"]) - width) <= 2


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_colours_stand_out_of_their_background(name: str) -> None:
    theme = THEMES[name]
    assert all(contrast(colour, theme.background) >= 3 for colour in (*theme.series, theme.accent, theme.rest))
    assert all(contrast(colour, theme.background) >= 4.5 for colour in (theme.ink, theme.muted))
    for ink, heat in zip(theme.heat_ink, theme.heat, strict=True):
        assert contrast(ink, heat) >= 4.5
    assert len(set(theme.series)) == series.MOST_SERIES


@pytest.mark.parametrize(
    ("grain", "start", "name"),
    [
        ("day", "2026-10-31", "2026-10-31"),
        ("week", "2026-10-26", "week of 2026-10-26"),
        ("month", "2026-10-01", "October 2026"),
        ("quarter", "2026-10-01", "Q4 2026"),
        ("year", "2026-01-01", "2026"),
    ],
)
def test_periods_have_names(grain: str, start: str, name: str) -> None:
    assert period_name(grain, start) == name


def test_numbers_are_read_at_a_glance() -> None:
    assert with_error(4000, 40) == "4,000\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}40"
    assert (signed(12), signed(-1200), signed(0)) == ("+12", "\N{MINUS SIGN}1,200", "0")
    assert (signed_percent(0.0312), signed_percent(-0.14)) == (
        "+3.1\N{NO-BREAK SPACE}%",
        "\N{MINUS SIGN}14\N{NO-BREAK SPACE}%",
    )
    assert (percent_error(0.0031), percent_error(0.005), percent_error(0)) == ("0.4", "0.5", "0.0"), "rounded up"
    assert label("") == "(not reported)"
    assert label("a\N{RIGHT-TO-LEFT OVERRIDE}b\n") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
