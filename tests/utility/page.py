"""Writes the generated parts of `deploy/UTILITY.md`, each between two markers; the rest is written by people."""

from __future__ import annotations

from pathlib import Path


class MarkerError(Exception):
    """A page without the markers of a part that is to be written into it."""


def begin(part: str) -> str:
    """The line before a generated part."""
    return f"<!-- generated: {part}, by python -m tests.utility.measure -->"


def end(part: str) -> str:
    """The line after it."""
    return f"<!-- end of generated: {part} -->"


def part_of(page: str, part: str) -> str:
    """What stands between the markers of `part`.

    Raises:
        MarkerError: the page has not each of them once, in this order.
    """
    before, found, rest = page.partition(begin(part))
    content, ended, after = rest.partition(end(part))
    if not found or not ended or begin(part) in after or end(part) in before + after:
        raise MarkerError(f"the page needs the lines '{begin(part)}' and '{end(part)}', once each")
    return content.strip("\n")


def write(path: Path, parts: dict[str, str]) -> None:
    """Puts each part between its markers in the page at `path`, which is begun with nothing else if it is not there.

    Raises:
        MarkerError: see `part_of`; nothing is written.
    """
    empty = "\n\n".join(f"{begin(part)}\n\n{end(part)}" for part in parts) + "\n"
    page = path.read_text(encoding="utf-8") if path.exists() else empty
    for part, content in parts.items():
        part_of(page, part)
        before, rest = page.split(begin(part))
        after = rest.split(end(part))[1]
        page = f"{before}{begin(part)}\n\n{content}\n\n{end(part)}{after}"
    path.write_text(page, encoding="utf-8")
