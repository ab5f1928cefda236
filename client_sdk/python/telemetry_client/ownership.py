"""Whose a file is: what somebody else may have written does not allow anything in this user's name.

Windows has no such owners, and these rules do not apply there.
"""

from __future__ import annotations

import os
from stat import S_IWOTH

NOT_ALONE = "not this user's alone"


def is_alone(path: str) -> bool:
    """Whether nobody but this user and root may have written the file at `path`."""
    return _is_ours(path, forbidden_mode=0) and directory_is_alone(os.path.dirname(path))


def directory_is_alone(directory: str) -> bool:
    """The same for a file that is going to be written into `directory`."""
    return _is_ours(directory, forbidden_mode=S_IWOTH)


def _is_ours(path: str, forbidden_mode: int) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & forbidden_mode
