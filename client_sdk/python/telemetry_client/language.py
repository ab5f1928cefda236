"""The language preference as a BCP-47 tag: `pt-BR`, `sr-Latn-RS`, or `und` where there is none.

The order is the one of gettext: LC_ALL, LC_MESSAGES, LANG, first in the environment, then in the files that
set the system's locale. An empty variable counts as not set, as POSIX says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional

from telemetry_client.assignments import last_values
from telemetry_client.fact import Fact
from telemetry_client.text import is_number, lowered, raised, stripped

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_FILES = ("/etc/locale.conf", "/etc/default/locale")
_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "arabic": "Arab"}
_SCRIPT_LETTERS = 4


def detect_language(machine: Machine) -> Optional[Fact]:
    """The fact, or None where nothing states a locale."""
    found = _first(machine.environ, "environment {}")
    for path in _FILES:
        if found is None:
            found = _first(last_values(machine.read(path) or ""), path + " {}")
    if found is None and machine.system_locale:
        found = Fact(to_bcp47(machine.system_locale), "system locale")
    return found


def to_bcp47(locale: str) -> str:
    """The tag of a POSIX locale: `sr_RS.UTF-8@latin` becomes `sr-Latn-RS`, `C` becomes `und`.

    What is no locale comes back as it is; the permits' format then keeps it from being sent.
    """
    name, _, modifier = stripped(locale).partition("@")
    name = name.partition(".")[0].replace("_", "-")
    if raised(name) in ("C", "POSIX"):
        return "und"
    language, *rest = name.split("-")
    script = _SCRIPTS.get(lowered(modifier), "")
    region = ""
    for part in rest:
        if len(part) == _SCRIPT_LETTERS and _is_word(part):
            script = raised(part[0]) + lowered(part[1:])
        elif not region and (len(part) == 2 or is_number(part)):  # noqa: PLR2004 - ISO 3166 codes have two letters
            region = raised(part)
    return "-".join(part for part in (lowered(language), script, region) if part)


def _is_word(part: str) -> bool:
    return part.isascii() and part.isalpha()


def _first(values: Mapping[str, str], origin: str) -> Optional[Fact]:
    for variable in _VARIABLES:
        if stripped(values.get(variable, "")):
            return Fact(to_bcp47(values[variable]), origin.format(variable))
    return None
