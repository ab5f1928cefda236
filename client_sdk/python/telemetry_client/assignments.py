"""KEY=value lines, as in os-release, locale.conf and this client's own files: parsed, never sourced.

Blank lines and lines that start with `#` are skipped; blanks around `=` are allowed; a value may be in
POSIX shell quotes. Nothing is expanded: `$HOME` and backquotes are ordinary characters.
"""

from __future__ import annotations

import re
from typing import Iterator, List, Mapping, NamedTuple, Optional

from telemetry_client.text import BLANKS, split_lines, stripped

_BLANK = f"[{BLANKS}]"
_LINE = re.compile(rf"(?:export{_BLANK}+)?([A-Za-z_][A-Za-z0-9_.-]*){_BLANK}*={_BLANK}*(.*)")
# The parts of a word: bare characters, a character after a backslash, text in single or double quotes.
_PART = re.compile(rf"""[^{BLANKS}'"\\]+|\\.|'[^']*'|"(?:[^"\\]|\\.)*\"""")
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\])')


class Assignment(NamedTuple):
    """One line: its number, key and value. A line that is no assignment has an empty key."""

    line: int
    key: str
    value: str


def read_assignments(text: str) -> Iterator[Assignment]:
    """Every line of `text` that is not blank and not a comment, in order."""
    for number, line in enumerate(split_lines(text), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = _unquoted(match.group(2)) if match else None
        if match is None or value is None:
            yield Assignment(number, "", "")
        else:
            yield Assignment(number, match.group(1), stripped(value))


def last_values(text: str) -> Mapping[str, str]:
    """The value of each key; as in a shell, the last one counts. Broken lines are left out."""
    return {found.key: found.value for found in read_assignments(text) if found.key}


def _unquoted(written: str) -> Optional[str]:
    """What a shell would assign, without expanding; None where quotes do not close or words are left over."""
    parts: List[str] = []
    at = 0
    while at < len(written):
        match = _PART.match(written, at)
        if match is None:
            return None
        parts.append(_meant(match.group()))
        at = match.end()
    return "".join(parts)


def _meant(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] == '"':
        return _ESCAPED_IN_QUOTES.sub(r"\1", part[1:-1])
    return part[1:] if part[0] == "\\" else part
