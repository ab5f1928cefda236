"""The letters that tables are drawn with, as far as the output can carry them."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box


@dataclass(frozen=True, slots=True)
class Marks:
    """Plus-minus, the letter of a bar, the frame of a table, and whether sparklines have block letters."""

    plus_minus: str
    block: str
    frame: box.Box
    blocks: bool


_UNICODE = Marks("±", "█", box.SIMPLE_HEAD, blocks=True)
_ASCII = Marks("+-", "#", box.ASCII, blocks=False)


def marks_of(encoding: str) -> Marks:
    """The letters for an output of this encoding."""
    try:
        "±█─▁·".encode(encoding)
    except UnicodeEncodeError:
        return _ASCII
    return _UNICODE
