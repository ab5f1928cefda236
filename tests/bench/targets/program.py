"""A server that is one Python module of ours and prints its address once it listens."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.cores import SERVER, on_core
from tests.conftest import PROJECT
from tests.npm_package import NotAvailableError

_STOP_SECONDS = 10


@contextlib.contextmanager
def serving(directory: Path, module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """The address and process of `python -m MODULE ARGUMENTS`, which is on the server's core.

    Raises:
        NotAvailableError: it did not start.
    """
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", module, *arguments]
    with (directory / "log").open("w+") as log:
        with on_core(SERVER):
            process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                log.seek(0)
                said = log.read().strip().splitlines()
                raise NotAvailableError(f"{module} did not start: {said[-1] if said else 'it said nothing'}")
            yield url, process.pid
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
