"""The charts there are, and everything that one of them shows: its question, numbers, words and specification.

A page and the addresses of its pictures make the same figure from the same question, so that they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from collector.publish.measures import MEASURES
from collector.publish.periods import CLOSED_GRAINS
from collector.reports.charts import series
from collector.reports.charts.bar_chart import bar_chart
from collector.reports.charts.heat_map import heat_map
from collector.reports.charts.line_chart import line_chart
from collector.reports.charts.words import FIELD_NAMES, number, percent, period_name, periods, with_error
from collector.reports.windows import window_of

if TYPE_CHECKING:
    import datetime as dt

    from collector.reports.charts.look import Look, Spec
    from collector.reports.charts.series import Bar, Count, Grid, Series, Told
    from collector.reports.library import Library
    from collector.reports.question import AskedGrain, Question

Shape = Literal["lines", "bars", "heat"]
_GRAINS: tuple[AskedGrain, ...] = ("day", "week", "month", "quarter", "year")
_MOST_SAID = 6


@dataclass(frozen=True)
class Chart:
    """One kind of chart: its name in addresses, what it is broken down by, its shape."""

    name: str
    by: tuple[str, ...]
    shape: Shape

    @property
    def heading(self) -> str:
        """What it is about, in words."""
        names = [FIELD_NAMES[field] for field in self.by]
        return " and ".join(names) if names else "total"


CHARTS = {
    chart.name: chart
    for chart in (
        Chart("total", (), "lines"),
        Chart("versions", ("product_version",), "lines"),
        Chart("version-lines", ("version_line",), "lines"),
        Chart("os", ("os_version",), "bars"),
        Chart("source", ("source",), "bars"),
        Chart("instance-type", ("instance_type",), "bars"),
        Chart("language", ("language",), "bars"),
        Chart("versions-by-os", ("product_version", "os_version"), "heat"),
        Chart("versions-by-instance-type", ("product_version", "instance_type"), "heat"),
        Chart("versions-by-source", ("product_version", "source"), "heat"),
    )
}


@dataclass(frozen=True)
class Figure:
    """A chart of a product with its numbers.

    Attributes:
        chart: which.
        title: the product's.
        question: what was asked.
        answer: of `collector.reports.usage`.
        totals: period -> the product's total.
        simulated: whether the reports were made up.
    """

    chart: Chart
    title: str
    question: Question
    answer: Told
    totals: dict[str, Count]

    @cached_property
    def series(self) -> list[Series]:
        """Of lines."""
        if not self.chart.by:
            return series.total(self.answer, self.title)
        return series.lines(self.answer, self.totals, self.chart.by[0])

    @cached_property
    def bars(self) -> list[Bar]:
        """Of bars."""
        return series.bars(self.answer, self.totals, self.chart.by[0])

    @cached_property
    def grid(self) -> Grid:
        """Of two fields."""
        return series.grid(self.answer, *self.chart.by)

    @property
    def grain(self) -> str:
        """Of its periods."""
        return str(self.answer["grain"])

    @property
    def is_empty(self) -> bool:
        """Whether no value is shown."""
        return not any(cell["value"] is not None for cell in self.answer["cells"])

    def named(self, period: str) -> str:
        """A period in words, and that it lacks days or reports where it does."""
        return period_name(self.grain, period) + (", incomplete" if period in self.answer["incomplete"] else "")

    @property
    def incomplete(self) -> str:
        """The periods that lack days or reports, in words; empty if there are none."""
        names = [period_name(self.grain, period) for period in self.answer["incomplete"]]
        return ", ".join(names[:_MOST_SAID]) + (f" and {len(names) - _MOST_SAID} more" if names[_MOST_SAID:] else "")

    @property
    def when(self) -> str:
        """Its time in words."""
        shown = self.answer["periods"]
        if not shown:
            return "no released period"
        first, last = (self.named(start) for start in (shown[0], shown[-1]))
        return last if len(shown) == 1 else f"{first} to {last}"

    @property
    def caption(self) -> str:
        """What is shown, in a few words."""
        measure = self.answer["measure"]
        if self.chart.shape == "lines" and self.chart.by:
            return f"{self.title}: share of {measure} by {self.chart.heading}"
        return f"{self.title}: {measure}" + (f" by {self.chart.heading}" if self.chart.by else "")

    @property
    def words(self) -> str:
        """The main facts in words, for whoever does not see the picture."""
        if self.is_empty:
            return f"{self.caption}, {self.when}. No value is shown."
        facts = {"lines": self._line_facts, "bars": self._bar_facts, "heat": self._heat_facts}[self.chart.shape]()
        return f"{self.caption}, {self.when}. {facts} Errors are 95 % errors."

    def spec(self, look: Look) -> Spec:
        """Its specification for Vega-Lite."""
        match self.chart.shape:
            case "lines":
                return line_chart(self.series, self.answer["periods"], self.grain, look, self.answer["incomplete"])
            case "bars":
                return bar_chart(self.bars, look)
            case "heat":
                down, across = (FIELD_NAMES[field] for field in self.chart.by)
                return heat_map(self.grid, down, across, look)

    @property
    def subtitle(self) -> tuple[str, ...]:
        """The lines below the title of a picture that leaves its page."""
        made_up = "MADE-UP DATA: " if self.answer["simulated"] else ""
        drawn = {"lines": "Bands", "bars": "Whiskers and ±", "heat": "±"}[self.chart.shape]
        hollow = " A hollow point lacks days or reports." if drawn == "Bands" and self.answer["incomplete"] else ""
        return (
            f"{made_up}{self.when}, by {self.grain}",
            f"{drawn} are 95 % errors.{hollow} Counts are {self.answer['means']}.",
        )

    def _line_facts(self) -> str:
        latest = self.answer["periods"][-1]
        name = period_name(self.grain, latest)
        if not self.chart.by:
            counts = self.series[0].counts
            low, high = (pick(counts, key=lambda p: counts[p].value) for pick in (min, max))
            if latest not in counts:
                return f"No value is shown for {name}."
            now = with_error(counts[latest].value, counts[latest].error)
            return (
                f"{now} in {name}; over {periods(self.grain, len(counts))} between {number(counts[low].value)} "
                f"({period_name(self.grain, low)}) and {number(counts[high].value)} ({period_name(self.grain, high)})."
            )
        told = [
            f"{one.name} {percent(one.shares[latest].share)}"
            for one in self.series[:_MOST_SAID]
            if latest in one.shares
        ]
        return f"In {name}: {', '.join(told)}." if told else f"No value is shown for {name}."

    def _bar_facts(self) -> str:
        told = [f"{one.name} {with_error(one.count.value, one.count.error)}" for one in self.bars[:_MOST_SAID]]
        more = len(self.bars) - len(told)
        return f"{', '.join(told)}{f', and {more} more' if more > 0 else ''}."

    def _heat_facts(self) -> str:
        ranked = sorted(self.grid.counts.items(), key=lambda item: -item[1].value)[:3]
        told = [f"{row} with {column} {with_error(count.value, count.error)}" for (row, column), count in ranked]
        return f"The largest: {', '.join(told)}."


def figure(library: Library, chart: Chart, title: str, question: Question) -> Figure:
    """The figure that answers `question`, whose product, measure, grain and range are given.

    Raises:
        UsageError: it cannot be answered.
    """
    answer = library.usage(question.model_copy(update={"by": chart.by}))
    totals: dict[str, Count] = {}
    if len(chart.by) == 1:
        totals = series.totals_of(library.usage(question.model_copy(update={"by": (), "compare": None})))
    return Figure(chart, title, question, answer, totals)


def grains_of(library: Library, measure: str, by: tuple[str, ...]) -> list[AskedGrain]:
    """The grains by which a table is released, finest first; quarters and years where they can be summed."""
    menu, released = library.rules.menu, library.released
    on_menu = [g for g in CLOSED_GRAINS for t in menu.of(g) if (t.measure, t.fields) == (measure, by)]
    found: list[AskedGrain] = [g for g in _GRAINS if g in on_menu and released.periods(g, measure, by)]
    if "month" in found and not MEASURES[measure].per_licence:
        found += ["quarter", "year"]
    return found


def nearest(asked: AskedGrain, offered: list[AskedGrain]) -> AskedGrain | None:
    """The grain that comes closest to what is asked: it, the next coarser one, or the coarsest there is."""
    coarser = [g for g in offered if _GRAINS.index(g) >= _GRAINS.index(asked)]
    return next(iter(coarser or offered[-1:]), None)


def starts_of(library: Library, grain: AskedGrain, measure: str, by: tuple[str, ...]) -> list[dt.date]:
    """The first days of the periods of which something of a table is released, oldest first."""
    if grain == "quarter" or grain == "year":  # noqa: PLR1714 - so that the type is known
        months = library.released.periods("month", measure, by)
        return sorted({window_of(month, grain) for month in months})
    return library.released.periods(grain, measure, by)
