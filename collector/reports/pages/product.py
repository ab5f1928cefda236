"""A product's page: its figures with their tables, what of the open day is known, and ways to look further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.publish.measures import MEASURES
from collector.reports.charts.figures import CHARTS, Chart, Figure, figure, grains_of, nearest, starts_of
from collector.reports.charts.series import Count, totals_of
from collector.reports.charts.words import FIELD_NAMES, label
from collector.reports.pages import links
from collector.reports.pages.asked import complete, presets
from collector.reports.pages.courses import Change, change
from collector.reports.pages.frame import content
from collector.reports.usage import ABSENT, WINDOW
from collector.reports.windows import MONTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collector.reports.charts.series import Share
    from collector.reports.library import Library
    from collector.reports.pages.asked import Asked
    from collector.reports.pages.names import Called

_BARS = tuple(chart.name for chart in CHARTS.values() if chart.shape == "bars")
_HEATS = tuple(chart.name for chart in CHARTS.values() if chart.shape == "heat")
_SHADES = 8


@dataclass(frozen=True, slots=True)
class TableRow:
    """A line of a table beside a chart; without a name it is what is not shown.

    Attributes:
        count: none where a quarter or year lacks a month of it; `months` says then of how many it is known.
    """

    name: str
    count: Count | None
    share: Share | None
    previous: int | None
    change: Change | None
    months: str = ""


@dataclass(frozen=True)
class Section:
    """A figure on a page, with its addresses and the rows of its table.

    Attributes:
        figure: what it shows.
        period: the period of `rows`, in words.
        rows: the values of its latest period, largest first, with what is not shown.
    """

    figure: Figure
    period: str
    rows: list[TableRow]

    @property
    def is_empty(self) -> bool:
        """Whether no value is shown."""
        return self.figure.is_empty

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """Name and address of each file of exactly what is shown."""
        size = "wide" if self.figure.chart.shape == "lines" else "medium"
        files = [(name, links.download(self.figure, form)) for name, form in (("CSV", "csv"), ("Parquet", "parquet"))]
        drawn = [(name, name.lower()) for name in ("PNG", "SVG")]
        return files + [(name, links.picture(self.figure, form, size=size, titled=1)) for name, form in drawn]

    def picture(self, theme: str, size: str) -> str:
        """The address of its picture."""
        return links.picture(self.figure, "svg", theme=theme, size=size)

    def shade(self, count: Count) -> int:
        """How dark a cell of a grid is, from 0 to 7."""
        most = max(one.value for one in self.figure.grid.counts.values())
        return min(_SHADES - 1, _SHADES * count.value // (most + 1))


def product_page(library: Library, called: Called, given: Mapping[str, str]) -> str:
    """The content of a product's page; the same for a name that never reported as for one that did too rarely.

    Args:
        library: the published cells.
        called: the product.
        given: the parameters.

    Raises:
        UsageError: what the parameters ask for cannot be shown.
    """
    asked = complete(library, called.name, called.measures, given)
    lines = grains_of(library, asked.measure, ("version_line",))
    left_out = "versions" if asked.by == "version_line" else "version-lines"
    charts = [chart for chart in CHARTS if chart != left_out]
    found = {chart: _section(library, asked, called.title, CHARTS[chart]) for chart in charts}
    sections = {chart: section for chart, section in found.items() if section is not None}
    versions = sections.get("versions") or sections.get("version-lines")
    total = sections["total"]
    through = library.released.periods("day")
    return content(
        "product.html",
        title=called.title,
        asked=asked,
        measures=called.measures,
        means=MEASURES[asked.measure].means,
        total=total,
        headline=headline(total.figure),
        versions=versions,
        leader=_leader(versions),
        bars=[sections[chart] for chart in _BARS if chart in sections and not sections[chart].is_empty],
        heats=[sections[chart] for chart in _HEATS if chart in sections and not sections[chart].is_empty],
        empty=[CHARTS[chart].heading for chart in (*_BARS, *_HEATS) if chart in sections and sections[chart].is_empty],
        so_far=_so_far(asked),
        grains=grains_of(library, asked.measure, ()),
        presets=presets(asked, max(through)) if through else [],
        has_lines=bool(lines),
        notes=list(dict.fromkeys(note for one in sections.values() for note in one.figure.answer["notes"])),
        absent=_why_nothing(total.figure.answer),
        fields=FIELD_NAMES,
        self_link=lambda **changed: links.link(links.product_path(called.name), **(dict(asked.given) | changed)),
        history=history,
    )


def _why_nothing(answer: dict[str, Any]) -> str:
    """The fixed sentence beside what has no value, by what was asked about and never by what was counted."""
    grain = answer["grain"]
    if not answer["periods"]:
        first, last = answer["available"].get(grain) or answer["available"]["month"]
        return f"No {grain} of this time is released; released are those from {first} to {last}."
    return WINDOW.format(window=grain) if grain in MONTHS else ABSENT


@dataclass(frozen=True, slots=True)
class Headline:
    """The latest total of a page."""

    when: str
    count: Count
    change: Change | None
    grain: str


def headline(total: Figure) -> Headline | None:
    """The latest total, and how it changed; None where it is not shown."""
    counts = totals_of(total.answer)
    starts = total.answer["periods"]
    if not starts or starts[-1] not in counts:
        return None
    latest = counts[starts[-1]]
    before = counts.get(starts[-2]) if len(starts) > 1 and not {*starts[-2:]} & {*total.answer["incomplete"]} else None
    changed = change((latest.value, latest.error), (before.value, before.error) if before else None)
    return Headline(total.named(starts[-1]), latest, changed, total.grain)


def _leader(versions: Section | None) -> TableRow | None:
    """The most used version; none where one of them has no number, since that could be it."""
    if versions is None or not versions.rows or any(row.count is None for row in versions.rows):
        return None
    return versions.rows[0]


def _section(library: Library, asked: Asked, title: str, chart: Chart) -> Section | None:
    """A chart's section; None where the menu has no such table for what is counted."""
    grain = nearest(asked.grain, grains_of(library, asked.measure, chart.by))
    if grain is None:
        return None
    first, last = asked.first, asked.last
    if chart.shape != "lines":
        first = last = max((p for p in starts_of(library, grain, asked.measure, chart.by) if p <= last), default=last)
    made = figure(library, chart, title, asked.question(grain, first, last))
    shown = made.answer["periods"]
    latest = shown[-1] if shown else ""
    rows = _rows(made, latest) if chart.shape != "heat" else []
    return Section(made, made.named(latest) if latest else "", rows)


def _rows(made: Figure, period: str) -> list[TableRow]:
    """The values of one period as the API gives them, largest first; then what is not shown."""
    if not made.chart.by:
        return []
    cells = [cell for cell in made.answer["cells"] if cell["period"] == period]
    whole = made.totals.get(period)
    rest = [Count(one["value"], one["error"]) for one in made.answer["remainder"] if one["period"] == period]
    rows = [_row(cell, label(cell[made.chart.by[0]]), whole) for cell in cells]
    return rows + [TableRow("", count, count.part_of(whole), None, None) for count in rest if rows]


def _row(cell: dict[str, Any], name: str, whole: Count | None) -> TableRow:
    if cell["value"] is None:
        return TableRow(name, None, None, None, None, f"{cell['released_months']} of {cell['months']} months")
    count = Count(cell["value"], cell["error"])
    return TableRow(name, count, count.part_of(whole), cell.get("previous"), _change(cell))


def _change(cell: dict[str, Any]) -> Change | None:
    if cell.get("change") is None or not cell["previous"]:
        return None
    return Change(cell["change"], cell["change_error"], cell["change"] / cell["previous"])


def _so_far(asked: Asked) -> dict[str, Any] | None:
    """The open day, where a page goes up to now."""
    told: dict[str, Any] | None = asked.latest["so_far"]
    if told is None or "to" in {name for name, value in asked.given.items() if value}:
        return None
    cells = [(label(cell[asked.by]), Count(cell["value"], cell["error"])) for cell in told["cells"]]
    return told | {"cells": cells} if cells else None


def history(section: Section) -> list[tuple[str, list[Count | None]]]:
    """The table of lines over time: for each period, the latest first, the counts of the chart's series."""
    made = section.figure
    return [
        (made.named(period), [series.counts.get(period) for series in made.series])
        for period in reversed(made.answer["periods"])
    ]
