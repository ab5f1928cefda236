"""The list of permits as a Tcl file: two dictionaries that are read and never evaluated."""

from __future__ import annotations

import re
from typing import Any

_HEAD = """\
# What may leave this machine. Generated from the policy by `make schemas`, never edited by hand.
#
# policy: id title dated contact url. reports: for each its path, sources and fields, and for each field required,
# sources, pattern, maxLength, enum, description, purpose and clause; what a field has not is empty.

namespace eval ::telemetry::permits {
"""
_FIELD_KEYS = ("required", "sources", "pattern", "maxLength", "enum", "description", "purpose", "clause")
# Within double quotes these mean something to Tcl; all the rest is itself. A bare word needs no quotes.
_BARE = re.compile(r"[0-9A-Za-z_./:-]+")
_SPECIAL = str.maketrans({character: f"\\{character}" for character in '\\"$[]{}'})


def tcl_permits(permits: dict[str, Any]) -> str:
    """The text of `permits.tcl` for what `permits.json` holds."""
    reports = {
        name: {**report, "fields": {field: _all_keys(said) for field, said in report["fields"].items()}}
        for name, report in permits["reports"].items()
    }
    return f"{_HEAD}    variable policy {_word(permits['policy'], 1)}\n    variable reports {_word(reports, 1)}\n}}\n"


def _all_keys(field: dict[str, Any]) -> dict[str, Any]:
    return {key: field.get(key, "") for key in _FIELD_KEYS}


def _word(value: object, level: int) -> str:
    """`value` as one word of a command: a number, a text, a list or a dictionary."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return _braced([_word(each, level) for each in value], level, in_one_line=True)
    assert isinstance(value, dict)  # noqa: S101 - JSON knows no more
    pairs = [f"{_text(name)} {_word(each, level + 1)}" for name, each in value.items()]
    return _braced(pairs, level, in_one_line=False)


def _braced(words: list[str], level: int, *, in_one_line: bool) -> str:
    if in_one_line or not words:
        return "{" + " ".join(words) + "}"
    indent = "    " * (level + 1)
    return "{\n" + "".join(f"{indent}{word}\n" for word in words) + "    " * level + "}"


def _text(text: str) -> str:
    if not text.isascii() or any(character < " " for character in text):
        raise ValueError("a text for Tcl must be printable ASCII")
    if _BARE.fullmatch(text):
        return text
    return f'"{text.translate(_SPECIAL)}"'
