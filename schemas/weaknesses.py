"""What this system does not do well: read from `weaknesses.toml`, told in deploy/WEAKNESSES.md and on the data page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from schemas.policy import _Entry
from schemas.problems import parse, read_toml

WEAKNESSES = Path(__file__).parent / "weaknesses.toml"
_INTRODUCTION = """\
# Known weaknesses

Made from `schemas/weaknesses.toml` by `make schemas`; do not edit. What this system does not do well, or not at all,
told by those who made it, so that nobody has to find out: what it is, whom it matters to, and what limits it. Each
entry names where to look; a test fails when what it names is gone, so that an entry ends with its weakness and not
before. If you know of another, write to the contact of the policy.
"""


class Weakness(_Entry):
    """One weakness.

    Attributes:
        title: in a few words.
        about: whom or what it is about; entries with the same stand together.
        what: what it is.
        who: whom it matters to, and how.
        limits: what limits it.
        see: files, tests (`tests/FILE.py::test_name`), or `FILE: words that stand in it`.
    """

    title: str = Field(min_length=1)
    about: Literal[
        "people whose machines report",
        "protection of what is published",
        "those who read the numbers",
        "those who run it",
    ]
    what: str = Field(min_length=1)
    who: str = Field(min_length=1)
    limits: str = Field(min_length=1)
    see: tuple[str, ...] = Field(min_length=1)


class _Weaknesses(_Entry):
    weaknesses: tuple[Weakness, ...]


@cache
def weaknesses(path: Path = WEAKNESSES) -> tuple[Weakness, ...]:
    """All of them, in the order of the file.

    Raises:
        ConfigurationError: an entry lacks a part.
    """
    return parse(_Weaknesses, read_toml(path), path).weaknesses


def by_subject() -> dict[str, list[Weakness]]:
    """All of them, by what they are about."""
    found: dict[str, list[Weakness]] = {}
    for one in weaknesses():
        found.setdefault(one.about, []).append(one)
    return found


def weaknesses_page() -> str:
    """The page as Markdown."""
    lines = [_INTRODUCTION]
    for about, several in by_subject().items():
        lines += [f"## {about[0].upper()}{about[1:]}", ""]
        for one in several:
            files = dict.fromkeys(place.partition(": ")[0] for place in one.see)
            lines += [
                f"### {one.title}",
                "",
                one.what,
                "",
                f"- **For whom:** {one.who}",
                f"- **What limits it:** {one.limits}",
            ]
            lines += [f"- **See:** {', '.join(f'`{file}`' for file in files)}", ""]
    return "\n".join(lines).rstrip() + "\n"
