"""Licence keys become pseudonyms before anything is stored.

A pseudonym is HMAC-SHA256 of the key under the quarter's pepper, cut to 16 bytes and written as a
UUID, so that the database column is 16 bytes wide. Peppers are random, one file a quarter
(`pepper-2026Q4`, 32 bytes, mode 0600), made on first use; where several collectors share a store, made by hand
and copied to all. A lost pepper means that its quarter's licences are counted again as new ones; a leaked one would
let its holder test guessed keys.
"""

from __future__ import annotations

import datetime as dt
import hmac
import os
import secrets
import stat
import uuid
from typing import TYPE_CHECKING

from collector.ingest.segment import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

PEPPER_BYTES = 32
QUARTER_FILE = "pepper-"
# From its first day, this leads into the first month of the next one.
_LONGER_THAN_A_QUARTER = dt.timedelta(days=100)
NO_LICENCE = str(uuid.UUID(int=0))


class PepperError(Exception):
    """A pepper file that cannot be used; the text names the file, never its content."""


def quarter(day: dt.date) -> str:
    """The calendar quarter of `day`, e.g. `2026Q4`."""
    return f"{day.year}Q{(day.month + 2) // 3}"


class Peppers:
    """The peppers in one directory.

    Args:
        directory: where the files are; created with mode 0700 if missing.
        makes: whether a missing one is made.
    """

    def __init__(self, directory: Path, *, makes: bool = True) -> None:
        self._directory = directory
        self._makes = makes
        self._loaded: dict[str, bytes] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def directory(self) -> Path:
        """Where the files are."""
        return self._directory

    def pseudonym(self, license_key: str, day: dt.date) -> str:
        """The pseudonym of `license_key` in the quarter of `day`, in UUID notation.

        Raises:
            PepperError: the quarter's pepper cannot be read or made.
        """
        digest = hmac.digest(self._pepper(quarter(day)), license_key.encode(), "sha256")
        return str(uuid.UUID(bytes=digest[:16]))

    def prepare(self, day: dt.date) -> None:
        """Reads, or makes, the pepper of `day`'s quarter, so that a bad file is found at start."""
        self._pepper(quarter(day))

    def is_there(self, day: dt.date) -> bool:
        """Whether the pepper of `day`'s quarter is there already."""
        return (self._directory / f"{QUARTER_FILE}{quarter(day)}").exists()

    def there_before(self, day: dt.date) -> dt.date:
        """The first day of the first quarter, from that of `day` on, whose pepper is not there."""
        first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        while self.is_there(first):
            first = (first + _LONGER_THAN_A_QUARTER).replace(day=1)
        return first

    def fingerprint(self, day: dt.date) -> str:
        """What tells the pepper of `day`'s quarter from others, and nothing about keys; 16 hex digits.

        Raises:
            PepperError: it cannot be read or made.
        """
        # Not the digest of any key: a licence key holds no NUL.
        return hmac.digest(self._pepper(quarter(day)), b"\0fingerprint", "sha256")[:8].hex()

    def _pepper(self, name: str) -> bytes:
        if name not in self._loaded:
            path = self._directory / f"{QUARTER_FILE}{name}"
            if not self._makes and not path.exists():
                raise PepperError(
                    f"{path}: is missing. Make it once with `collector pepper make {name}` and copy it to every "
                    "collector that takes reports into the same store"
                )
            self._loaded[name] = _read_or_make(path)
        return self._loaded[name]


def _read_or_make(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise PepperError(f"{path}: mode {mode:04o} lets others read it; run: chmod 600 {path}")
        pepper = path.read_bytes()
    except OSError as error:
        raise PepperError(f"{path}: {error.strerror}") from error
    if len(pepper) != PEPPER_BYTES:
        raise PepperError(f"{path}: is not {PEPPER_BYTES} bytes long; restore it from a backup or remove it")
    return pepper


def _make(path: Path) -> None:
    """Makes the file whole or not at all; of several processes at once, one wins and all read its pepper."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(PEPPER_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)
        sync_directory(path.parent)  # a pepper lost in a power cut would count its licences twice
    except FileExistsError:
        pass  # another process made it first
    finally:
        temporary.unlink()
