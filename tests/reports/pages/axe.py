"""axe-core, which finds what keeps people from using a page; version and checksum are pinned here.

It is fetched once into the user's cache. Where that is not possible the tests that need it are skipped and say so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.reports.pages.browser import Browser

VERSION = "4.14.1"
SHA512 = (
    "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73"
    "4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5"
)


class NotAvailableError(Exception):
    """It cannot be had on this machine; the text says what is missing."""


def axe() -> Path:
    """The script, fetched if it is not in the cache.

    Raises:
        NotAvailableError: it cannot be fetched.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = base / "product-telemetry" / f"axe-core-{VERSION}" / "axe.min.js"
    if found.exists():
        return found
    if shutil.which("npm") is None:
        raise NotAvailableError("npm is needed to fetch axe-core, and is not installed")
    found.parent.mkdir(parents=True, exist_ok=True)
    with (found.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _fetch(found)
    return found


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        command = ["npm", "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", directory]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=100)
        except (subprocess.SubprocessError, OSError) as error:
            raise NotAvailableError(f"npm could not fetch axe-core {VERSION}") from error
        (packed,) = Path(directory).glob("*.tgz")
        if hashlib.sha512(packed.read_bytes()).hexdigest() != SHA512:
            raise NotAvailableError(f"what npm fetched as axe-core {VERSION} is something else")
        with tarfile.open(packed) as archive:
            archive.extract("package/axe.min.js", directory, filter="data")
        (Path(directory) / "package" / "axe.min.js").rename(target)


def findings(browser: Browser, script: Path) -> list[str]:
    """What of the page it is on is wrong, one line for each finding: how bad, which rule, where."""
    browser.run(script.read_text(encoding="utf-8"))
    result = browser.driver.execute_async_script(
        """
        const done = arguments[0];
        axe.run(document, {resultTypes: ["violations"]}).then(done, error => done({error: String(error)}));
        """
    )
    assert "violations" in result, result
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}" for one in result["violations"] for node in one["nodes"]
    ]
