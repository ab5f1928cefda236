"""Lines over time with their errors: a band, and a whisker where a point stands alone. Pure.

A period that lacks days or reports is a hollow point that no line leads to: it must not look like a fall.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from collector.reports.charts.look import FITS, Look, Spec, spec
from collector.reports.charts.theme import DASHES, REST_DASH, Theme

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from collector.reports.charts.series import Series

_HEIGHT = 260
# Pixels of a letter in the widest font that may stand in for the one that the renderer measures with.
_WIDEST_LETTER = 7.3
# So many points of a line are marked one by one.
_MOST_DOTS = 32
_MOST_LEGEND_COLUMNS = 9
_DATES = {"day": "%b %-d", "week": "%b %-d", "month": "%b %Y", "quarter": "%b %Y", "year": "%Y"}
# From so many days on a date needs its year.
_LONG_DAYS = 330
_MEASURED = ("y", "low", "high", "lacking")
_MOST_TICKS = {"wide": 9, "medium": 7, "half": 5, "narrow": 3}


def line_chart(
    series: Sequence[Series], periods: Sequence[str], grain: str, look: Look, incomplete: Collection[str] = ()
) -> Spec:
    """The specification.

    Args:
        series: the lines; drawn as shares of the total where they have shares.
        periods: first days of all periods shown; a line has a gap where it has no value.
        grain: of the periods.
        look: how it is to look.
        incomplete: those of the periods that lack days or reports.
    """
    are_shares = any(one.shares for one in series)
    rows = [row for one in series for row in _rows(one, periods, incomplete, are_shares=are_shares)]
    names = [one.name for one in series]
    colours, dashes = _strokes(series, look.colours)
    legend = None if len(series) == 1 else _legend(look, names)
    shared = {
        "x": {
            "field": "period",
            "type": "temporal",
            "scale": {"type": "utc"},
            "axis": _time_axis(periods, grain, look),
        },
        "color": _nominal(names, colours, legend),
    }
    highest = max((row["high"] for row in rows if row["high"] is not None), default=0)
    axis = {
        "title": None,
        "format": ".0%" if are_shares else ",.0f",
        "tickCount": 5,
        "domain": False,
        "ticks": False,
        "minExtent": 36 if are_shares else 12 + _WIDEST_LETTER * len(f"{highest:,.0f}"),
    }
    y = {"field": "y", "type": "quantitative", "axis": axis, "scale": {"zero": True, "nice": True}}
    ends = {"y": y | {"field": "low"}, "y2": {"field": "high"}}
    band = {"mark": {"type": "area", "opacity": 0.22, "line": False}, "encoding": shared | ends}
    line = {
        "mark": {"type": "line", "strokeWidth": 2.2, "strokeJoin": "round"},
        "encoding": shared | {"y": y, "strokeDash": _nominal(names, dashes, legend)},
    }
    alone = {"filter": "datum.alone"}
    whisker = {"transform": [alone], "mark": {"type": "rule", "strokeWidth": 1.4}, "encoding": shared | ends}
    dots = {
        "transform": [] if len(periods) <= _MOST_DOTS else [alone],
        "mark": {"type": "point", "filled": True, "size": 26, "opacity": 1},
        "encoding": shared | {"y": y},
    }
    hollow = {
        "mark": {"type": "point", "filled": False, "size": 34, "strokeWidth": 1.6, "opacity": 1},
        "encoding": shared | {"y": y | {"field": "lacking"}},
    }
    layers = [band, line, whisker, dots, *([hollow] if any(row["lacking"] is not None for row in rows) else [])]
    return spec(look, rows, {"layer": layers, "width": look.width, "height": _HEIGHT, "autosize": FITS})


def _rows(
    one: Series, periods: Sequence[str], incomplete: Collection[str], *, are_shares: bool
) -> list[dict[str, Any]]:
    """A row for each period; `alone` is a point without a neighbour, of which no line and no band would be seen.

    `lacking` is the value of an incomplete period, `y` that of any other.
    """
    shares = {period: (of.share, of.error) for period, of in one.shares.items()}
    counts = {period: (float(of.value), float(of.error)) for period, of in one.counts.items()}
    points = shares if are_shares else counts
    drawn = points.keys() - set(incomplete)
    rows: list[dict[str, Any]] = []
    for n, period in enumerate(periods):
        row: dict[str, Any] = {"period": period, "series": one.name, **dict.fromkeys(_MEASURED)}
        if period in points:
            value, error = points[period]
            if period in incomplete:
                row["lacking"] = value
            else:
                beside = {*periods[max(0, n - 1) : n], *periods[n + 1 : n + 2]}
                row |= {"y": value, "low": max(0, value - error), "high": value + error}
                row["alone"] = not beside & drawn
        rows.append(row)
    return rows


def _nominal(names: list[str], scale: list[Any], legend: Spec | None) -> Spec:
    """By series, in the order of the names."""
    return {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": names, "range": scale},
        "legend": legend,
        "sort": None,
    }


def _time_axis(periods: Sequence[str], grain: str, look: Look) -> Spec:
    """Ticks at periods only, evenly, the latest always."""
    step = -(-len(periods) // _MOST_TICKS[look.size]) or 1
    days = [dt.datetime.fromisoformat(period).replace(tzinfo=dt.UTC) for period in periods[::-1][::step]]
    is_long = len(periods) > 1 and (days[0] - days[-1]).days > _LONG_DAYS
    return {
        "title": None,
        "format": "%b %Y" if is_long and grain in {"day", "week"} else _DATES[grain],
        "grid": False,
        "labelOverlap": True,
        "labelFlush": True,
        "values": [int(day.timestamp() * 1000) for day in reversed(days)],
    }


def _strokes(series: Sequence[Series], theme: Theme) -> tuple[list[str], list[list[int]]]:
    colours, dashes = [], []
    for n, one in enumerate(series):
        match one.kind:
            case "shown":
                stroke = theme.series[n % len(theme.series)], list(DASHES[n % len(DASHES)])
            case "others":
                stroke = theme.muted, [1, 0]
            case "rest":
                stroke = theme.rest, list(REST_DASH)
        colours.append(stroke[0])
        dashes.append(stroke[1])
    return colours, dashes


def _legend(look: Look, names: Sequence[str]) -> Spec:
    longest = min(24, max((len(name) for name in names), default=0))
    return {
        "title": None,
        "orient": "bottom",
        "columns": max(1, min(_MOST_LEGEND_COLUMNS, (look.width - 40) // (longest * 7 + 60))),
        "symbolType": "stroke",
        "symbolSize": 320,
        "symbolOpacity": 1,
        "offset": 12,
        "rowPadding": 5,
        "columnPadding": 36,
    }
