"""One call of the API, checked before anything is done: a caller's mistake is told, not swallowed."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from telemetry_client.facts import Given

Place = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True, repr=False)
class Call:
    """What a caller of the API states. Without a repr, because a licence key may be in it."""

    given: Given
    answer: Optional[bool]
    url: str
    state_dir: Place
    config: Place
    seconds: float

    def problem(self) -> str:
        """The first argument that is not what it must be, in words without its value; empty where all are."""
        stated = {field.name: getattr(self, field.name) for field in fields(self)}
        facts = {field.name: getattr(self.given, field.name) for field in fields(self.given)}
        for name, value in {**facts, "url": stated["url"]}.items():
            if not isinstance(value, str):
                return f"{name} must be a string, not {type(value).__name__}"
        for name in ("state_dir", "config"):
            if not _is_path(stated[name]):
                return f"{name} must be a path, not {type(stated[name]).__name__}"
            if not _can_exist(stated[name]):
                return f"{name} has a character in it that no path can have"
        if not any(stated["answer"] is each for each in (None, True, False)):
            return f"answer must be True, False or None, not {type(stated['answer']).__name__}"
        return "" if _is_time(stated["seconds"]) else "seconds must be a number above 0"


def _is_path(value: object) -> bool:
    # Bytes are a path to the operating system, but not one that can be shown to a person.
    return isinstance(value, str) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str))


def _can_exist(path: Place) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeError:
        return False


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    # Longer than this, which is years, a thread cannot be waited for.
    return 0 < value <= threading.TIMEOUT_MAX
