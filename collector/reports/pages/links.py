"""Addresses within the dashboard: every state of a page is one, so that it can be shared."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collector.reports.charts.figures import Figure
    from collector.reports.question import Question

Parameter = str | int | dt.date | None


def link(path: str, **parameters: Parameter) -> str:
    """A path with the parameters that are given; a trailing underscore keeps a name from being Python's."""
    given = {name.rstrip("_"): str(value) for name, value in parameters.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path


def product_path(name: str) -> str:
    """The page of a product."""
    return f"/products/{quote(name, safe='')}"


def picture(figure: Figure, form: str, **look: Parameter) -> str:
    """A figure's picture."""
    question = figure.question
    path = f"/charts/{quote(question.product or '', safe='')}/{figure.chart.name}.{form}"
    return link(path, **_range(question), measure=question.measure, **look)


def download(figure: Figure, form: str) -> str:
    """A figure's values as a file, from the API."""
    question = figure.question
    asked = {"product": question.product, "by": ",".join(figure.chart.by), "measure": question.measure}
    return link("/v1/usage", **asked, **_range(question), compare=question.compare, format=form)


def _range(question: Question) -> dict[str, Parameter]:
    return {"grain": question.grain, "from_": question.first, "to": question.last}
