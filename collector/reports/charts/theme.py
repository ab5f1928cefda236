"""How charts look: one light and one dark theme, in the colours of the pages' style sheet.

Series colours are Okabe and Ito's, made darker on white and lighter on black so that each stands out of its
background by 3:1; lines differ by dashes too, so that nothing depends on colour alone. The font is one that the
renderer brings along and that has the measures of Arial: pictures look the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (1, 0), (1, 0), (7, 3), (7, 3), (2, 2), (2, 2))
REST_DASH = (3, 4)


@dataclass(frozen=True)
class Theme:
    """The colours of one theme; `series` are for lines, `heat` is from little to much."""

    background: str
    ink: str
    muted: str
    line: str
    accent: str
    rest: str
    series: tuple[str, ...]
    heat: tuple[str, str]
    heat_ink: tuple[str, str]

    def config(self) -> dict[str, Any]:
        """What all charts of the theme have in common, for Vega-Lite."""
        axis = {
            "labelColor": self.muted,
            "titleColor": self.muted,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": self.line,
            "domainColor": self.line,
            "tickColor": self.line,
            "labelLimit": 190,
            "labelPadding": 6,
        }
        return {
            "font": _FONT,
            "background": self.background,
            "view": {"stroke": None},
            "axis": axis,
            "legend": {"labelColor": self.ink, "labelFontSize": 12, "labelLimit": 170, "symbolStrokeWidth": 2.5},
            "title": {
                "color": self.ink,
                "subtitleColor": self.muted,
                "fontSize": 15,
                "subtitleFontSize": 12,
                "subtitlePadding": 5,
                "anchor": "start",
                "offset": 14,
            },
        }


THEMES = {
    "light": Theme(
        background="#ffffff",
        ink="#1b2330",
        muted="#566173",
        line="#e3e7ee",
        accent="#0067a8",
        rest="#8a94a6",
        series=("#0067a8", "#c75000", "#007d5a", "#a5457f", "#946200", "#2b87c8", "#5b4ba0"),
        heat=("#eaf2f9", "#0067a8"),
        heat_ink=("#1b2330", "#ffffff"),
    ),
    "dark": Theme(
        background="#182030",
        ink="#e8ecf3",
        muted="#a3aec0",
        line="#2d3850",
        accent="#5ab4f0",
        rest="#8290a8",
        series=("#5ab4f0", "#f08c4a", "#34c79b", "#e091be", "#e8c547", "#8fb8ff", "#b7a6f5"),
        heat=("#20304a", "#5ab4f0"),
        heat_ink=("#e8ecf3", "#0c1420"),
    ),
}
