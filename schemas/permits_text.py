"""The permits as lines of text, for a client's `verify`: made so that awk can compare them.

The first line names the form and the last one is `end`, so that a list that was cut short is none. In between, one
thing a line, `SUBJECT WHAT: VALUE`, printable ASCII alone:

    policy dated: 2026-01-15
    image-boot/1 language sources: vm, cloud, container
    image-boot/1 language clause: images.usage
    image-boot/1 language purpose: Know which languages to translate into.

Formats are not in it: they are the program's, not the policy's, and a dry run checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.shell_permits import rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORM = "product-telemetry-permits 1"
END = "end"


def permits_text(permits: Mapping[str, Any]) -> str:
    """The text for what `permits.json` holds."""
    return "".join(f"{_printable(line)}\n" for line in (FORM, *_lines(permits), END))


def _lines(permits: Mapping[str, Any]) -> Iterator[str]:
    for key in ("id", "title", "dated", "contact", "url"):
        yield f"policy {key}: {permits['policy'][key]}"
    for report, terms in permits["reports"].items():
        for name in sorted(terms["fields"], key=rank):
            field = terms["fields"][name]
            yield f"{report} {name} sources: {', '.join(field['sources'])}"
            yield f"{report} {name} clause: {field['clause']}"
            yield f"{report} {name} purpose: {field['purpose']}"


def _printable(text: str) -> str:
    """What an operator wrote in another script, or with a line end in it, as JSON escapes it."""
    return "".join(each if " " <= each <= "~" else f"\\u{ord(each):04x}" for each in text)
