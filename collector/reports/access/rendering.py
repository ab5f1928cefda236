"""The two pages of this package as HTML, from the templates that stand with all others in `reports/pages`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

TEMPLATES = Path(__file__).parent.parent / "pages" / "templates"

Render = Callable[..., str]
"""Renders a template by name with what it shows, everything escaped.

sign_in.html: `next`, a path of this site to go on to; `problem`, a sentence or empty.
refused.html: `title` and `text`.
"""


@cache
def _template(name: str) -> Template:
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(name)


def prepare() -> None:
    """Reads the templates, so that no request waits for the disk."""
    for name in ("sign_in.html", "refused.html"):
        _template(name)


def render(name: str, **shown: str) -> str:
    """The page."""
    return _template(name).render(shown)
