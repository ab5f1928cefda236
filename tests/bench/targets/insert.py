"""No server of one's own: whoever has a report inserts it into the database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.bench import names
from tests.bench.targets.database import TABLE, database, process_of
from tests.bench.targets.target import Target
from tests.bench.wording import Wording


@contextlib.contextmanager
def insert(directory: Path) -> Iterator[Target]:
    with database(directory) as server:
        # Without async_insert, so that the answer means what it says.
        query = quote(f"INSERT INTO {TABLE} FORMAT JSONEachRow")
        wording = Wording(
            path=f"/?async_insert=0&query={query}",
            headers={"X-ClickHouse-User": "default"},
        )
        yield Target(
            names.INSERT,
            "committed in the database (page cache)",
            f"http://127.0.0.1:{server.port}",
            {names.DATABASE: [process_of(server)]},
            wording,
            accepts=200,
            refuses=400,
        )
