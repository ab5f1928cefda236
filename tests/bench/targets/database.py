"""A ClickHouse server with one table of reports, for those that write into one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.cores import SERVER, on_core
from tests.clickhouse_server import ClickHouseServer

TABLE = "bench.reports"
COLUMNS = ("report_id", "source", "product", "product_version", "os_version", "instance_type", "language")
# As somebody would write it who thinks of nothing but these reports; but for the limits of parts, at which ClickHouse
# delays and then refuses inserts of single rows, so that merges that lag show as CPU and not as failures.
_CREATE = f"""CREATE TABLE {TABLE} (report_id UUID, received_on Date DEFAULT today(),
{", ".join(f"{column} LowCardinality(String)" for column in COLUMNS[1:])})
ENGINE = MergeTree PARTITION BY received_on ORDER BY (product, product_version)
SETTINGS parts_to_delay_insert = 1000000, parts_to_throw_insert = 1000000"""


@contextlib.contextmanager
def database(directory: Path) -> Iterator[ClickHouseServer]:
    """The server, on the server's core.

    Raises:
        NotAvailableError: it cannot be had on this machine.
    """
    server = ClickHouseServer(directory)
    try:
        with on_core(SERVER):
            server.start()
        server.ask("CREATE DATABASE bench")
        server.ask(_CREATE)
        yield server
    finally:
        server.kill()


def process_of(server: ClickHouseServer) -> int:
    assert server.process is not None
    return server.process.pid


def wait_until_written(server: ClickHouseServer, table: str, quiet_seconds: float) -> None:
    """Waits until no row has come for so long, which is longer than its writer rests between two inserts."""
    rows = None
    while rows != (rows := server.ask(f"SELECT count() FROM {table}")):
        time.sleep(quiet_seconds)
