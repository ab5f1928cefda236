"""One thing that the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is."""

    OK = 0
    WARNING = 1  # will become a problem, or is untidy
    PROBLEM = 2  # reports are refused, late or at risk, or others may read them


@dataclass(frozen=True)
class Finding:
    """What is the case, in one line, and what to do about it, in one line; nothing where all is well."""

    severity: Severity
    what: str
    todo: str = ""

    @classmethod
    def ok(cls, what: str) -> Finding:
        """All is well."""
        return cls(Severity.OK, what)

    @classmethod
    def warning(cls, what: str, todo: str) -> Finding:
        """Something that has time."""
        return cls(Severity.WARNING, what, todo)

    @classmethod
    def problem(cls, what: str, todo: str) -> Finding:
        """Something that has not."""
        return cls(Severity.PROBLEM, what, todo)
