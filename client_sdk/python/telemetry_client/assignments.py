"""KEY=value lines, as in os-release, locale.conf and this client's own files: parsed, never sourced.

Blank lines and lines that start with `#` are skipped; blanks around `=` are allowed; a value may be in
shell quotes. Nothing is expanded: `$HOME` and backquotes are ordinary characters.
"""

from __future__ import annotations

import re
import shlex
from typing import Iterator, Mapping, NamedTuple

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)")


class Assignment(NamedTuple):
    """One line: its number, key and value. A line that is no assignment has an empty key."""

    line: int
    key: str
    value: str


def read_assignments(text: str) -> Iterator[Assignment]:
    """Every line of `text` that is not blank and not a comment, in order."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = _unquoted(match.group(2)) if match else None
        if match is None or value is None:
            yield Assignment(number, "", "")
        else:
            yield Assignment(number, match.group(1), value)


def last_values(text: str) -> Mapping[str, str]:
    """The value of each key; as in a shell, the last one counts. Broken lines are left out."""
    return {found.key: found.value for found in read_assignments(text) if found.key}


def _unquoted(written: str) -> str | None:
    """What a shell would assign, without expanding; None where quotes do not close or words are left over."""
    try:
        words = shlex.split(written, comments=False, posix=True)
    except ValueError:
        return None
    if len(words) > 1:
        return None
    return words[0] if words else ""
