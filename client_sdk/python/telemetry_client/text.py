"""What a line and a blank are, the same for every client whatever language it is written in.

Lines end with LF alone. Blank, tab, CR, VT and FF are taken away at either end; no other white space is.
Upper and lower case are those of ASCII. Python's own methods know of more in each case.
"""

from __future__ import annotations

import os
from typing import List, Optional

BLANKS = " \t\r\v\f"
MAX_FILE_BYTES = 1024 * 1024
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TO_LOWER = str.maketrans(_UPPER, _UPPER.lower())
_TO_UPPER = str.maketrans(_UPPER.lower(), _UPPER)


def stripped(text: str) -> str:
    """`text` without blanks at either end."""
    return text.strip(BLANKS)


def lowered(text: str) -> str:
    """`text` with A to Z in lower case."""
    return text.translate(_TO_LOWER)


def raised(text: str) -> str:
    """`text` with a to z in upper case."""
    return text.translate(_TO_UPPER)


def split_lines(text: str) -> List[str]:
    """The lines of `text`, each without blanks at its ends."""
    return [stripped(line) for line in text.split("\n")]


def first_line(text: str) -> str:
    """The first line of `text`, without blanks at its ends."""
    return split_lines(text)[0]


def is_number(text: str) -> bool:
    """Whether `text` is one or more of the digits 0 to 9."""
    return text.isascii() and text.isdigit()


def read_text(path: str, most_bytes: int = MAX_FILE_BYTES) -> Optional[str]:
    """A file's text, as UTF-8; None where it is missing, cannot be read or is longer than `most_bytes`."""
    try:
        # A FIFO or device in the place of a file would block for ever.
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            data = file.read(most_bytes + 1)
        return data.decode("utf-8", errors="replace") if len(data) <= most_bytes else None
    except (OSError, ValueError):
        return None
