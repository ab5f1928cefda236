"""What was released, and by which rules. Pure."""

from __future__ import annotations

from typing import Any

from collector.reports.charts.words import period_name
from collector.reports.pages.frame import content
from collector.reports.question import UsageError

PER_PAGE = 100
GRAINS = ("day", "week", "month", "so_far")
_RULES = ("menu", "profile", "k", "gate_sigmas", "report_sigma", "licence_sigma", "so_far_sigma", "code_version")


def releases_page(releases: list[dict[str, Any]], grain: str, page: str) -> str:
    """The content of the page.

    Args:
        releases: of the library, the latest first.
        grain: shows only that; empty for all.
        page: from 1.

    Raises:
        UsageError: there is no such grain or page.
    """
    if grain and grain not in GRAINS:
        raise UsageError(f"'grain' must be one of {', '.join(GRAINS)}")
    if not page.isascii() or not page.isdecimal() or not 1 <= int(page[:6]) <= PER_PAGE:
        raise UsageError("'page' must be a number from 1")
    wanted = [one for one in releases if not grain or one["grain"].startswith(grain)]
    rules = list(dict.fromkeys(_rules(one) for one in releases))
    first = (int(page) - 1) * PER_PAGE
    return content(
        "releases.html",
        rules=[dict(zip(_RULES, one, strict=True)) for one in rules],
        rows=[
            one | {"name": _name(one), "rule": rules.index(_rules(one)) + 1} for one in wanted[first : first + PER_PAGE]
        ],
        grains=GRAINS,
        grain=grain,
        page=int(page),
        pages=max(1, -(-len(wanted) // PER_PAGE)),
        total=len(wanted),
    )


def _rules(release: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(release[name] for name in _RULES)


def _name(release: dict[str, Any]) -> str:
    grain = release["grain"]
    if grain.startswith("so_far"):
        return f"{release['period']} until {grain.removeprefix('so_far_')}:00 UTC"
    return period_name(grain, release["period"])
