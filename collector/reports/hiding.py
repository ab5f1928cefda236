"""Values that an administrator hid: their numbers stay, their texts do not. At reading time; no cell changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "(hidden)"

IsHidden = Callable[[str, str, str], bool]
"""Whether a value of a product's field is hidden: product, field, value."""


def nothing_hidden(_product: str, _field: str, _value: str) -> bool:
    """Where nobody moderates."""
    return False


def hide(answer: dict[str, Any], is_hidden: IsHidden) -> None:
    """Replaces the hidden values in an answer of `usage`."""
    fields = answer["fields"][1:]
    cells = [*answer["cells"], *(answer["so_far"]["cells"] if answer["so_far"] else ())]
    _hide(cells, fields, is_hidden)


def _hide(cells: Iterable[dict[str, Any]], fields: Iterable[str], is_hidden: IsHidden) -> None:
    for cell in cells:
        for field in fields:
            if is_hidden(cell["product"], field, cell[field]):
                cell[field] = HIDDEN
