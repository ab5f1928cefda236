"""Who asks, as the gate found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aiohttp import web

Role = Literal["viewer", "admin"]
How = Literal["token", "session", "proxy"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Someone who may read published counts.

    Attributes:
        name: of the token that was given or signed in with, or of the proxy's user.
        role: viewers read; admins also see what is under /admin.
        how: by token, by the cookie of a session, or by a reverse proxy's word.
    """

    name: str
    role: Role
    how: How


IDENTITY = web.RequestKey("identity", Identity)


def identity(request: web.Request) -> Identity | None:
    """Who asks; None on public pages, and where no gate was installed."""
    return request.get(IDENTITY)
