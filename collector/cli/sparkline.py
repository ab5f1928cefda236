"""A row of numbers as a line of letters: the higher the letter, the higher the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_DIGITS = "12345678"
GAPS = {True: "·", False: "."}
"""What stands where there is no number, with and without blocks."""


def sparkline(values: Sequence[int | None], *, blocks: bool) -> str:
    """One letter for each value, from 0 to the largest of them, so that noise looks no larger than it is.

    Args:
        values: oldest first; None where there is none.
        blocks: whether the output can carry block letters; digits from 1 to 8 otherwise.
    """
    letters = _BLOCKS if blocks else _DIGITS
    largest = max((value for value in values if value is not None), default=0)

    def letter(value: int) -> str:
        return letters[min(len(letters) - 1, value * len(letters) // largest)] if largest else letters[0]

    return "".join(GAPS[blocks] if value is None else letter(value) for value in values)
