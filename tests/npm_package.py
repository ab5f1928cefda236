"""One file out of a package that npm distributes, with its version and checksum pinned by whoever asks.

It is fetched once into the user's cache. Where that is not possible the tests that need it are skipped and say so;
with REQUIRE_ALL=1 they fail.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


class NotAvailableError(Exception):
    """It cannot be had on this machine; the text says what is missing."""


@dataclass(frozen=True)
class NpmFile:
    """A file of a package.

    Attributes:
        package: its name.
        version: the pinned one.
        sha512: of the packed package, in hex digits.
        file: the file's path in it.
        kept_as: directory in the cache.
    """

    package: str
    version: str
    sha512: str
    file: str
    kept_as: str

    def get(self) -> Path:
        """The file, fetched if it is not in the cache.

        Raises:
            NotAvailableError: it cannot be fetched.
        """
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        found = base / "product-telemetry" / self.kept_as / Path(self.file).name
        if found.exists():
            return found
        if shutil.which("npm") is None:
            raise NotAvailableError(f"npm is needed to fetch {self.package}, and is not installed")
        found.parent.mkdir(parents=True, exist_ok=True)
        with (found.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not found.exists():
                self._fetch(found)
        return found

    def _fetch(self, target: Path) -> None:
        name = f"{self.package}@{self.version}"
        with tempfile.TemporaryDirectory(dir=target.parent) as directory:
            command = ["npm", "pack", name, "--silent", "--pack-destination", directory]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=100)
            except (subprocess.SubprocessError, OSError) as error:
                raise NotAvailableError(f"npm could not fetch {name}") from error
            (packed,) = Path(directory).glob("*.tgz")
            with packed.open("rb") as file:
                if hashlib.file_digest(file, "sha512").hexdigest() != self.sha512:
                    raise NotAvailableError(f"what npm fetched as {name} is something else")
            with tarfile.open(packed) as archive:
                archive.extract(f"package/{self.file}", directory, filter="data")
            (Path(directory) / "package" / self.file).rename(target)
