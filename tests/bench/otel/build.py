"""The OpenTelemetry Collector with the benchmark's components, built from Go modules by its own builder.

It is built once into the user's cache, a few minutes on two cores, and again when the manifest changes.

    python -m tests.bench.otel.build    # prints where it is
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.npm_package import NotAvailableError

MANIFEST = Path(__file__).parent / "builder.yaml"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.165.0"
NAME = "otelcol-bench"  # what the manifest calls it
BUILD_SECONDS = 1800


def binary() -> Path:
    """The program, built if it is not in the cache.

    Raises:
        NotAvailableError: it cannot be built on this machine.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(BUILDER.encode() + MANIFEST.read_bytes()).hexdigest()[:16]
    found = base / "product-telemetry" / f"otelcol-{key}" / NAME
    if found.exists():
        return found
    if shutil.which("go") is None:
        raise NotAvailableError("go is needed to build the OpenTelemetry Collector, and is not installed")
    found.parent.mkdir(parents=True, exist_ok=True)
    with (found.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _build(found)
    return found


def _build(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        command = ["go", "run", BUILDER, f"--config={MANIFEST}"]
        try:
            done = subprocess.run(
                command, cwd=directory, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise NotAvailableError("the OpenTelemetry Collector's builder did not come to an end") from error
        if done.returncode != 0:
            raise NotAvailableError(f"the OpenTelemetry Collector could not be built: {_reason(done.stderr)}")
        (Path(directory) / "built" / NAME).rename(target)


def _reason(said: str) -> str:
    """The last line that speaks of an error, which names the module that is missing, or else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    return next((line for line in reversed(lines) if "403" in line or "error" in line.lower()), lines[-1])


if __name__ == "__main__":
    print(binary())
