"""Two fields crossed: the stronger its colour the larger a value, each with its number and error. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.reports.charts.look import Look, Spec, spec
from collector.reports.charts.words import number

if TYPE_CHECKING:
    from collector.reports.charts.series import Grid


def heat_map(grid: Grid, down: str, across: str, look: Look) -> Spec:
    """The specification."""
    most = max((count.value for count in grid.counts.values()), default=1)
    rows = [
        {
            "row": row,
            "column": column,
            "value": grid.counts[row, column].value,
            "text": number(grid.counts[row, column].value),
            "error": f"± {number(grid.counts[row, column].error)}",
            "is_much": grid.counts[row, column].value > most / 2,
        }
        for row in grid.rows
        for column in grid.columns
        if (row, column) in grid.counts
    ]
    colours = look.colours
    position = {
        "y": {
            "field": "row",
            "type": "nominal",
            "sort": list(grid.rows),
            "axis": {"title": down, "ticks": False, "domain": False},
        },
        "x": {
            "field": "column",
            "type": "nominal",
            "sort": list(grid.columns),
            "axis": {
                "title": across,
                "orient": "top",
                "labelAngle": -25,
                "ticks": False,
                "domain": False,
                "labelLimit": 130,
            },
        },
    }
    scale = {"range": list(colours.heat), "domain": [0, most]}
    ink = {"condition": {"test": "datum.is_much", "value": colours.heat_ink[1]}, "value": colours.heat_ink[0]}
    cells = {
        "mark": {"type": "rect", "cornerRadius": 2, "stroke": colours.background, "strokeWidth": 2},
        "encoding": position | {"color": {"field": "value", "type": "quantitative", "scale": scale, "legend": None}},
    }
    texts = [
        {
            "mark": {"type": "text", "dy": dy, "fontSize": size},
            "encoding": position | {"text": {"field": field}, "color": ink},
        }
        for field, dy, size in (("text", -5, 12), ("error", 8, 10))
    ]
    return spec(look, rows, {"layer": [cells, *texts], "width": {"step": 92}, "height": {"step": 34}})
