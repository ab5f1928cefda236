"""How a chart is to look, and what all specifications have in common. Specifications are plain dictionaries.

Values are data in them and never names of anything, so a hostile value is only a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collector.reports.charts.theme import THEMES, Theme

Spec = dict[str, Any]
WIDTHS = {"wide": 1080, "medium": 680, "half": 520, "narrow": 320}
# The width is that of the picture, labels and all.
FITS = {"type": "fit-x", "contains": "padding"}


@dataclass(frozen=True)
class Look:
    """How a chart is to look.

    Attributes:
        theme: light or dark.
        size: how wide, by the place that it has; narrow is for phones.
        title: a line above it and those below that, for a picture that leaves its page; None without.
    """

    theme: str = "light"
    size: str = "wide"
    title: tuple[str, tuple[str, ...]] | None = None

    @property
    def colours(self) -> Theme:
        """Its theme."""
        return THEMES[self.theme]

    @property
    def width(self) -> int:
        """In pixels."""
        return WIDTHS[self.size]


def spec(look: Look, rows: list[dict[str, Any]], view: Spec) -> Spec:
    """A whole specification for Vega-Lite, of a view and its rows."""
    title = {"title": {"text": look.title[0], "subtitle": list(look.title[1])}} if look.title else {}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "config": look.colours.config(),
        "padding": 12 if look.title else 4,
        "data": {"values": rows},
        **title,
        **view,
    }
