"""Pictures of figures, each at an address that says all that is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aiohttp import web

from collector.reports.api import once
from collector.reports.cache import Kept
from collector.reports.charts.drawing import MEDIA_TYPES, Form, draw
from collector.reports.charts.figures import CHARTS, Chart, figure
from collector.reports.charts.look import WIDTHS, Look
from collector.reports.charts.theme import THEMES
from collector.reports.question import UsageError, read_question
from collector.reports.remembered import remembering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collector.reports.api import Api
    from collector.reports.library import Library
    from collector.reports.pages.names import Names

_LOOKS = {"theme": tuple(THEMES), "size": tuple(WIDTHS), "titled": ("0", "1")}
_ASKED = {"grain", "from", "to", "measure"}


class Pictures:
    """Draws figures.

    Args:
        api: pictures are kept beside its answers.
        library: what they are made of.
        names: what products are called.
    """

    def __init__(self, api: Api, library: Library, names: Names) -> None:
        self._api, self._library, self._names = api, library, names

    def routes(self) -> list[web.RouteDef]:
        """`/charts/{product}/{chart}.svg` and `.png`."""
        return [web.get(r"/charts/{product}/{chart}.{form:svg|png}", self._draw)]

    async def _draw(self, request: web.Request) -> web.StreamResponse:
        chart = CHARTS.get(request.match_info["chart"])
        called = self._names.called(request.match_info["product"])
        if chart is None:
            raise web.HTTPNotFound
        form = cast("Form", request.match_info["form"])

        def make() -> Kept:
            try:
                return self._drawn(once(request), chart, called.name, called.title, form)
            except UsageError as error:
                return Kept(400, "text/plain", str(error).encode())

        response = await self._api.cached(request, make)
        if request.query.get("titled") == "1" and response.status == 200:  # noqa: PLR2004 - HTTP's own
            name = f"{called.name}-{chart.name}.{form}"
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _drawn(self, given: Mapping[str, str], chart: Chart, name: str, title: str, form: Form) -> Kept:
        for parameter, allowed in _LOOKS.items():
            if given.get(parameter, allowed[0]) not in allowed:
                raise UsageError(f"'{parameter}' must be {' or '.join(allowed)}")
        if set(given) - set(_LOOKS) - _ASKED:
            raise UsageError(f"a chart takes {', '.join(sorted({*_LOOKS, *_ASKED}))}")
        asked = {parameter: value for parameter, value in given.items() if parameter in _ASKED}
        question = read_question(asked | {"product": name})
        made = figure(remembering(self._library), chart, title, question)
        headings = (made.caption, made.subtitle) if given.get("titled") == "1" else None
        look = Look(given.get("theme", "light"), given.get("size", "wide"), headings)
        return Kept(200, MEDIA_TYPES[form], draw(made.spec(look), form, made.caption, made.words))
