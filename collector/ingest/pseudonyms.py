"""Licence keys become pseudonyms before anything is stored.

A pseudonym is HMAC-SHA256 of the key under the quarter's pepper, cut to 16 bytes and written as a
UUID, so that the database column is 16 bytes wide. Peppers are random, one file a quarter
(`pepper-2026Q4`, 32 bytes, mode 0600), made two weeks ahead or on first use; where several collectors share a store,
made by hand and copied to all. A lost pepper means that its quarter's licences are counted again as new ones; a leaked
one would let its holder test guessed keys. `destroy` ends one whose reports are gone.
"""

from __future__ import annotations

import datetime as dt
import hmac
import os
import re
import secrets
import stat
import uuid
from typing import TYPE_CHECKING

from collector.ingest.owned_files import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

PEPPER_BYTES = 32
QUARTER_FILE = "pepper-"
# From its first day, this leads into the first month of the next one.
_LONGER_THAN_A_QUARTER = dt.timedelta(days=100)
_QUARTER = re.compile(r"([0-9]{4})Q([1-4])")
NO_LICENCE = str(uuid.UUID(int=0))


class PepperError(Exception):
    """A pepper file that cannot be used; the text names the file, never its content."""


def quarter(day: dt.date) -> str:
    """The calendar quarter of `day`, e.g. `2026Q4`."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def first_day(name: str) -> dt.date:
    """The first day of a quarter such as `2026Q4`.

    Raises:
        ValueError: it is no quarter.
    """
    match = _QUARTER.fullmatch(name)
    if match is None:
        raise ValueError(name)
    return dt.date(int(match[1]), 3 * int(match[2]) - 2, 1)


def last_day(name: str) -> dt.date:
    """The last day of a quarter.

    Raises:
        ValueError: it is no quarter.
    """
    return _next_quarter(first_day(name)) - dt.timedelta(days=1)


def quarters(directory: Path) -> list[str]:
    """The quarters whose peppers are in a directory, the oldest first."""
    names = (path.name.removeprefix(QUARTER_FILE) for path in directory.glob(f"{QUARTER_FILE}*"))
    return sorted(name for name in names if _QUARTER.fullmatch(name))


def destroy(directory: Path, name: str) -> bool:
    """Deletes the pepper of a quarter for good: overwritten, unlinked, the directory synced.

    On a disk that writes in place nothing of it is left. Flash remaps what is overwritten, copy-on-write file systems
    and snapshots keep the old block: there only encryption of the whole disk, and the disk's own discard, help.

    Returns:
        Whether it was there.

    Raises:
        OSError: it could not be deleted.
    """
    path = directory / f"{QUARTER_FILE}{name}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        os.pwrite(descriptor, secrets.token_bytes(max(PEPPER_BYTES, os.fstat(descriptor).st_size)), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    sync_directory(directory)
    return True


def _next_quarter(first: dt.date) -> dt.date:
    return dt.date(first.year + first.month // 10, (first.month + 2) % 12 + 1, 1)


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
        name = quarter(day)
        pseudonym = self._under(name, license_key)
        if len(self._loaded) > 1 and day != first_day(name):
            # Reports around midnight are over: this process needs the other quarter's no more, which will be destroyed.
            self._loaded = {name: self._loaded[name]}
        return pseudonym

    def all_pseudonyms(self, license_key: str) -> dict[str, str]:
        """Quarter -> the pseudonym of `license_key` in it, for each pepper that is there.

        Raises:
            PepperError: one of them cannot be read.
        """
        return {name: self._under(name, license_key) for name in quarters(self._directory)}

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

    def _under(self, name: str, license_key: str) -> str:
        digest = hmac.digest(self._pepper(name), license_key.encode(), "sha256")
        return str(uuid.UUID(bytes=digest[:16]))

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
