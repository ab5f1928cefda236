"""Specifications made into pictures, in this process and without network: the renderer brings its own fonts."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Literal

import vl_convert

if TYPE_CHECKING:
    from collector.reports.charts.look import Spec

Form = Literal["svg", "png"]
MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
# The grammar that `specs` is written in.
_VEGA_LITE = "5.21"
_PNG_SCALE = 2


def draw(spec: Spec, form: Form, title: str, description: str) -> bytes:
    """The picture; blocking, tens of milliseconds, a second for the first of a process.

    Args:
        spec: what to draw.
        form: svg or png.
        title: of an SVG, for whoever opens it.
        description: what it shows in words, for whoever cannot see it.
    """
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(spec, vl_version=_VEGA_LITE, scale=_PNG_SCALE))
    drawn = vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE)
    head, _, rest = drawn.partition(">")
    said = f"<title>{html.escape(title)}</title><desc>{html.escape(description)}</desc>"
    return f'{head} role="img">{said}{rest}'.encode()
