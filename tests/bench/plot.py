"""The picture of a run: what a report costs, by workload, target and process."""

from __future__ import annotations

from collector.reports.charts.drawing import draw
from collector.reports.charts.look import Look, Spec, spec
from tests.bench import names
from tests.bench.results import Results
from tests.bench.words import number

_STEP = 24
# Left of the bars are the targets' names.
_BARS = 560
_ROLES = (names.WORKER, names.HANDLER, names.SUPERVISOR, names.STORE, names.DATABASE)


def plot(results: Results) -> bytes:
    """As SVG."""
    look = Look(size="wide", title=("What a report costs", (_subtitle(results),)))
    return draw(_spec(results, look), "svg", "What a report costs", _described(results)) + b"\n"


def _subtitle(results: Results) -> str:
    return f"CPU microseconds of all processes of the server, median of {results.content['rounds']} rounds"


def _spec(results: Results, look: Look) -> Spec:
    rows = [
        {
            "workload": one["workload"],
            "target": one["target"],
            "role": role,
            "place": _ROLES.index(role),
            "cost": cost["median"],
            "whole": one["cpu_us"][names.TOTAL]["median"],
            # Beside the bar, once.
            "told": number(one["cpu_us"][names.TOTAL]["median"]) if role == one["answers"] else None,
        }
        for one in results.measurements
        for role, cost in one["cpu_us"].items()
        if role != names.TOTAL
    ]
    views = [_view(workload, look) for workload in results.workloads]
    # Workloads differ by a factor of a thousand: each has a scale of its own.
    view = {"vconcat": views, "spacing": 14, "resolve": {"scale": {"x": "independent", "y": "independent"}}}
    return spec(look, rows, view)


def _view(workload: str, look: Look) -> Spec:
    colours = look.colours
    y = {
        "field": "target",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "ticks": False, "domain": False, "minExtent": 230, "labelLimit": 230},
    }
    x = {"field": "cost", "type": "quantitative", "stack": "zero", "axis": None}
    colour = {
        "field": "role",
        "type": "nominal",
        "scale": {"domain": list(_ROLES), "range": list(colours.series[: len(_ROLES)])},
        "legend": {"title": None, "orient": "bottom"},
    }
    order = {"field": "place", "type": "quantitative"}
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.62}},
        "encoding": {"y": y, "x": x, "color": colour, "order": order},
    }
    told = {
        "transform": [{"filter": "datum.told != null"}],
        "mark": {"type": "text", "align": "left", "dx": 6, "color": colours.muted, "fontSize": 12},
        "encoding": {
            "y": y,
            "x": {"field": "whole", "type": "quantitative", "axis": None},
            "text": {"field": "told"},
        },
    }
    return {
        "transform": [{"filter": {"field": "workload", "equal": workload}}],
        "title": {"text": workload, "fontSize": 12, "anchor": "start", "offset": 4, "fontWeight": "normal"},
        "layer": [bars, told],
        "width": _BARS,
        "height": {"step": _STEP},
    }


def _described(results: Results) -> str:
    told = [
        f"{one['workload']}, {one['target']}: {number(one['cpu_us'][names.TOTAL]['median'])}"
        for one in results.measurements
    ]
    return f"{_subtitle(results)}. {'; '.join(told)}."
