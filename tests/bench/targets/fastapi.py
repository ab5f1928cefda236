"""What most people would write: FastAPI, a list in memory, and an insert each second."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench import names
from tests.bench.targets.database import TABLE, database, process_of, wait_until_written
from tests.bench.targets.program import serving
from tests.bench.targets.target import Target
from tests.npm_package import NotAvailableError

# The list is written once a second.
_QUIET_SECONDS = 1.3


@contextlib.contextmanager
def fastapi(directory: Path) -> Iterator[Target]:
    for package in ("fastapi", "uvicorn", "httptools"):
        if importlib.util.find_spec(package) is None:
            raise NotAvailableError(f"{package} is not installed; `make bench` installs it")
    with (
        database(directory / "database") as server,
        serving(directory / "app", "tests.bench.fastapi_app", str(server.port)) as (url, process),
    ):
        yield Target(
            names.FASTAPI,
            "in memory, for up to a second",
            url,
            {names.HANDLER: [process], names.DATABASE: [process_of(server)]},
            refuses=422,
            settle=partial(wait_until_written, server, TABLE, _QUIET_SECONDS),
        )
