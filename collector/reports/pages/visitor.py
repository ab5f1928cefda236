"""Who looks at a page, as the gate found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.reports.access.forms import form_token
from collector.reports.access.identity import identity
from collector.reports.pages.frame import Visitor

if TYPE_CHECKING:
    from aiohttp import web


def visitor(request: web.Request) -> Visitor:
    """For the frame; only a session can be ended by signing out."""
    who = identity(request)
    if who is None:
        return Visitor()
    return Visitor(who.name, who.role, form_token(request) if who.how == "session" else "")
