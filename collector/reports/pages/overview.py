"""The first page: all products, found and sorted by links, and where most has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from collector.reports.charts.words import period_name
from collector.reports.pages import courses
from collector.reports.pages.frame import content
from collector.reports.pages.links import link, product_path
from collector.reports.products import measures_of
from collector.reports.question import Question, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collector.reports.library import Library
    from collector.reports.question import AskedGrain

PARAMETERS = {"grain", "q", "sort"}
_PERIODS = {"day": 30, "week": 26, "month": 13}
_LONGEST_SEARCH = 100


def overview_page(library: Library, given: Mapping[str, str]) -> str:
    """The content of the page; days must have been released.

    Args:
        library: the published cells.
        given: `grain`, `q` to search and `sort`, one of SORTS with a minus for descending.

    Raises:
        UsageError: one of them cannot be read.
    """
    sort, searched = given.get("sort") or "-value", given.get("q", "")
    if sort.removeprefix("-") not in courses.SORTS:
        raise UsageError(f"'sort' must be {', '.join(courses.SORTS)}, with a minus before it for the largest first")
    if len(searched) > _LONGEST_SEARCH:
        raise UsageError(f"a search has at most {_LONGEST_SEARCH} characters")
    offered = [g for g in _PERIODS if library.released.periods(g)]
    grain = given.get("grain") or _opens_with(library, offered)
    if grain not in offered:
        raise UsageError(f"'grain' must be {' or '.join(offered)}")
    catalogue = library.catalogue().products
    answers = [
        answer
        for measure in ("boots", "licences")
        if (answer := _totals(library, measure, cast("AskedGrain", grain))) is not None
    ]
    every = courses.rows(
        {name: product.title for name, product in catalogue.items()},
        {name: measures_of(product)[0] for name, product in catalogue.items()},
        [courses.totals(answer) for answer in answers],
    )
    return content(
        "overview.html",
        rows=courses.ordered(courses.matching(every, searched), sort),
        products=len(every),
        up=courses.movers(every, "up"),
        down=courses.movers(every, "down"),
        grain=grain,
        when=period_name(grain, library.released.periods(grain)[-1].isoformat()),
        incomplete=list(dict.fromkeys(period_name(a["grain"], p) for a in answers for p in a["incomplete"])),
        grains=offered,
        sort=sort,
        searched=searched,
        link=link,
        product_path=product_path,
    )


def _opens_with(library: Library, offered: list[str]) -> str:
    """Weeks, once there are enough of them to compare: weekends do not show in them."""
    return "week" if "week" in offered and len(library.released.periods("week")) > 2 else offered[0]  # noqa: PLR2004


def _totals(library: Library, measure: str, grain: AskedGrain) -> dict[str, Any] | None:
    """All products' totals of the last periods; of licences by month always; None where nothing is released."""
    by = grain if measure == "boots" else "month"
    starts = library.released.periods(by, measure, ())
    if not starts:
        return None
    first = starts[-_PERIODS[by] :][0]
    return library.usage(Question(measure=measure, grain=by, first=first))
