"""Horizontal bars with error whiskers, each with its number beside it. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from collector.reports.charts.look import FITS, Look, Spec, spec
from collector.reports.charts.words import percent, with_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.reports.charts.series import Bar

_STEP = 27
_LABEL_LIMITS = {"half": 140, "narrow": 110}
_LABEL_LIMIT = 190
# Pixels of a letter in the widest font that may stand in for the one that the renderer measures with.
_WIDEST_LETTER = 7.3
_MEASURED_LETTER = 6.2
_BESIDE_A_BAR = 16
_SHORT = {"labelExpr": "format(datum.value, datum.value < 50000 ? ',' : '~s')"}


def bar_chart(found: Sequence[Bar], look: Look) -> Spec:
    """The specification."""
    texts = [with_error(one.count.value, one.count.error) + _in_percent(one) for one in found]
    ends = [one.count.value + one.count.error for one in found]
    rows = [
        {
            "name": one.name,
            "kind": one.kind,
            "value": one.count.value,
            "low": max(0, one.count.value - one.count.error),
            "high": end,
            "text": text,
        }
        for one, text, end in zip(found, texts, ends, strict=True)
    ]
    colours = look.colours
    most = max(ends, default=1)
    names = _room_for_names(found, look)
    room = {"domain": [0, _domain(ends, texts, look.width - names)], "nice": False}
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {
            "title": None,
            "ticks": False,
            "domain": False,
            "labelColor": colours.ink,
            "labelLimit": names * _MEASURED_LETTER / _WIDEST_LETTER,
            "minExtent": names,
        },
    }
    x = {
        "field": "value",
        "type": "quantitative",
        "scale": room,
        # Where there is no room for it the numbers beside the bars must do.
        "axis": None if look.size == "narrow" else {"title": None, "domain": False, "values": _steps(most), **_SHORT},
    }
    kinds = {"domain": ["shown", "others", "rest"], "range": [colours.accent, colours.accent, colours.rest]}
    bar = {
        "mark": {"type": "bar", "height": {"band": 0.62}, "cornerRadiusEnd": 1, "opacity": 0.85},
        "encoding": {"y": y, "x": x, "color": {"field": "kind", "type": "nominal", "scale": kinds, "legend": None}},
    }
    error = {"y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}}
    whisker = {"mark": {"type": "rule", "strokeWidth": 1.6, "color": colours.ink}, "encoding": error}
    caps = [
        {
            "mark": {"type": "tick", "thickness": 1.6, "size": 9, "color": colours.ink},
            "encoding": {"y": y, "x": x | {"field": end}},
        }
        for end in ("low", "high")
    ]
    text = {
        "mark": {"type": "text", "align": "left", "dx": 8, "color": colours.muted, "fontSize": 12},
        "encoding": {"y": y, "x": x | {"field": "high"}, "text": {"field": "text"}},
    }
    view = {"layer": [bar, whisker, *caps, text], "width": look.width, "height": {"step": _STEP}, "autosize": FITS}
    return spec(look, rows, view)


def _in_percent(one: Bar) -> str:
    return f"  ({percent(one.share.share)})" if one.share else ""


def _room_for_names(found: Sequence[Bar], look: Look) -> int:
    """Pixels left of the bars."""
    longest = max((len(one.name) for one in found), default=0)
    return min(_LABEL_LIMITS.get(look.size, _LABEL_LIMIT), 10 + math.ceil(_WIDEST_LETTER * longest))


def _domain(ends: list[int], texts: list[str], pixels: int) -> float:
    """To which value the axis must go, so that each bar has room for its number beside it."""
    least = 1.0
    for end, text in zip(ends, texts, strict=True):
        left = max(pixels / 5, pixels - _BESIDE_A_BAR - _WIDEST_LETTER * len(text))
        least = max(least, end * pixels / left)
    return least


def _steps(most: int) -> list[float]:
    """Zero and two round marks up to the longest bar: none where the numbers beside the bars stand."""
    unit = 10 ** (len(str(max(1, int(most)))) - 1)
    step = next(unit * part for part in (5, 2.5, 2, 1, 0.5) if 2 * unit * part <= most or part == 0.5)  # noqa: PLR2004
    return [0, step, 2 * step]
