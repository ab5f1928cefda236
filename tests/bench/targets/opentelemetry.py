"""The OpenTelemetry Collector: a report is a log record, written to ClickHouse by its exporter."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench import names
from tests.bench.cores import SERVER
from tests.bench.targets.database import database, process_of, wait_until_written
from tests.bench.targets.target import Target
from tests.bench.wording import REPORT, Wording
from tests.npm_package import NotAvailableError

# Its configuration has a batch flushed after 0.2 seconds.
_QUIET_SECONDS = 0.8


@contextlib.contextmanager
def opentelemetry(directory: Path, *, fsync: bool) -> Iterator[Target]:
    try:
        target = importlib.import_module("tests.bench.otel.target")
    except ModuleNotFoundError as error:
        raise NotAvailableError("tests/bench/otel is not there") from error
    with (
        database(directory / "database") as server,
        target.serving(directory / "otel", f"http://127.0.0.1:{server.port}", fsync=fsync, cpu=SERVER) as collector,
    ):
        # A report is the body of a log record, in an envelope.
        report = target.enveloped([REPORT.encode()]).decode()
        yield Target(
            names.OTEL_SYNCED if fsync else names.OTEL,
            "on disk (fdatasync)" if fsync else "in a file (page cache)",
            collector.url,
            {names.HANDLER: [collector.pid], names.DATABASE: [process_of(server)]},
            Wording(urlsplit(collector.url).path, report=report, refused=report),
            accepts=200,
            refuses=200,
            settle=partial(wait_until_written, server, target.TABLE, _QUIET_SECONDS),
        )
