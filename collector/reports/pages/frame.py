"""What all pages have around them, and the templates.

A page's content is the same for everyone and is kept; the frame around it (name, sign-out, freshness) is made for
each request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from collector.reports.charts import words

if TYPE_CHECKING:
    from collector.reports.access.identity import Role

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page.

    Attributes:
        name: to show; empty where there is no sign-in.
        role: admins get a link to what is theirs.
        form_token: for forms that are posted; empty for who has no session that could end.
    """

    name: str = ""
    role: Role = "viewer"
    form_token: str = ""


@cache
def styles() -> tuple[bytes, str]:
    """The style sheet, and a text that changes with it."""
    sheet = (STATIC / "style.css").read_bytes()
    return sheet, hashlib.sha256(sheet).hexdigest()[:12]


@cache
def icon() -> bytes:
    """The icon, SVG."""
    return (STATIC / "icon.svg").read_bytes()


def prepare() -> None:
    """Reads all files, so that no request waits for the disk."""
    icon()
    for template in TEMPLATES.glob("*.html"):
        environment().get_template(template.name)


@cache
def environment() -> Environment:
    """The templates; everything is escaped, and a name that is not given is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style_version"] = styles()[1]
    made.filters |= {
        "number": words.number,
        "signed": words.signed,
        "percent": words.percent,
        "percent_error": words.percent_error,
        "signed_percent": words.signed_percent,
        "label": words.label,
    }
    return made


def content(template: str, **shown: object) -> str:
    """What stands in the frame."""
    return environment().get_template(template).render(shown)


def framed(title: str, main: str, *, path: str, visitor: Visitor, fresh: str, simulated: bool) -> str:
    """A whole page.

    Args:
        title: of the window.
        main: from `content`.
        path: marks where one is in the navigation.
        visitor: who looks.
        fresh: from `freshness`.
        simulated: whether the reports were made up.
    """
    return (
        environment()
        .get_template("frame.html")
        .render(
            title=title,
            main=Markup(main),  # noqa: S704 - rendered by `content`, which escapes
            path=path,
            visitor=visitor,
            fresh=fresh,
            simulated=simulated,
        )
    )
