"""What the parameters of a product's page ask for, made complete: measure, grain and range that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.publish.periods import ONE_DAY
from collector.reports.charts.figures import grains_of, nearest, starts_of
from collector.reports.question import Question, UsageError, read_question

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from collector.reports.library import Library
    from collector.reports.question import AskedGrain

PARAMETERS = ("measure", "grain", "from", "to", "compare", "by")
# How many periods a page opens with.
OPENS_WITH = {"day": 60, "week": 26, "month": 24, "quarter": 12, "year": 10}
_VERSIONS = ("product_version", "version_line")


@dataclass(frozen=True)
class Asked:
    """What a product's page shows.

    Attributes:
        given: the parameters as they were given, for links that change one of them.
        product: the product's name.
        measure: what is counted.
        by: product_version or version_line, for the chart of versions.
        grain: of the charts over time.
        first: first day of the range.
        last: last day of the range.
        compare: whether each value is shown with the one before.
        latest: the answer about the latest period, at the finest grain that shows at least half; with the open day.
    """

    given: Mapping[str, str]
    product: str
    measure: str
    by: str
    grain: AskedGrain
    first: dt.date
    last: dt.date
    compare: bool
    latest: dict[str, Any]

    def question(self, grain: AskedGrain, first: dt.date, last: dt.date) -> Question:
        """A question about the same in another grain and range."""
        return Question(
            product=self.product,
            measure=self.measure,
            grain=grain,
            first=first,
            last=last,
            compare="previous" if self.compare else None,
        )


def complete(library: Library, product: str, measures: tuple[str, ...], given: Mapping[str, str]) -> Asked:
    """What the parameters ask for.

    Raises:
        UsageError: it cannot be shown; the text says what can.
    """
    if unknown := set(given) - set(PARAMETERS):
        names = ", ".join(sorted(name[:40] for name in unknown if name.isidentifier())) or "the given one"
        raise UsageError(f"no such parameter: {names}; there are: {', '.join(PARAMETERS)}")
    asked = read_question({**given, "product": product})
    by = asked.by[0] if asked.by else _VERSIONS[0]
    if len(asked.by) > 1 or by not in _VERSIONS:
        raise UsageError(f"'by' must be {' or '.join(_VERSIONS)}; other fields have charts of their own")
    measure = asked.measure or measures[0]
    if by == _VERSIONS[1] and not grains_of(library, measure, (by,)):
        by = _VERSIONS[0]
    latest = library.usage(Question(product=product, measure=measure, by=(by,)))
    offered = grains_of(library, measure, ())
    grain = nearest(asked.grain or latest["grain"], offered)
    if grain is None or (asked.grain and grain != asked.grain):
        raise UsageError(f"there is no {asked.grain} of {measure} yet; there is: {', '.join(offered)}")
    starts = starts_of(library, grain, measure, ())
    last = asked.last or max(starts[-1], asked.first or starts[-1])
    first = asked.first or _opens(starts, grain, last)
    return Asked(dict(given), product, measure, by, grain, min(first, last), last, bool(asked.compare), latest)


def presets(asked: Asked, through: dt.date) -> list[tuple[str, dt.date]]:
    """Ranges to choose from: name and first day."""
    return [
        (name, through - days * ONE_DAY)
        for name, days in (("4 weeks", 27), ("13 weeks", 90), ("6 months", 182), ("1 year", 364), ("2 years", 729))
        if asked.grain not in {"month", "quarter", "year"} or days > 100  # noqa: PLR2004 - a few points at least
    ]


def _opens(starts: list[dt.date], grain: AskedGrain, last: dt.date) -> dt.date:
    before = [start for start in starts if start <= last]
    return before[-OPENS_WITH[grain] :][0] if before else last
