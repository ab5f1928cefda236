"""A fact: one value about this machine, and where it was read, so that a person can check it."""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """A value and its origin: `Fact("debian-12", "/etc/os-release")`.

    The origin is shown to people on this machine; it is never sent.
    """

    value: str
    origin: str
