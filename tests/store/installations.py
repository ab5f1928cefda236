"""An installation in the middle of its work, and all that a store holds, for what takes a store elsewhere."""

from __future__ import annotations

import uuid

from collector.configuration import Configuration
from collector.store.engine import Engine
from collector.store.migrate import migrate
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row, run_row

LICENCE = uuid.UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")


def fill(engine: Engine, configuration: Configuration) -> None:
    """Days closed and released, one open, with a report sent twice."""
    migrate(engine, DAY)
    twice = row(DAY + 2 * ONE)
    for n in range(3):
        receive(engine, [row(DAY + n * ONE, os_version=f"debian-{n}") for _ in range(300)])
    receive(engine, [run_row(DAY, licence=LICENCE, language='quote"s and \\ more é'), twice])
    receive(engine, [twice])
    publisher_on(engine, configuration).publish(DAY + 2 * ONE, DAY + ONE)
    engine.insert("private.loads", ["segment", "received_on", "rows"], [["a", DAY, 3], ["b", DAY, 4]])


def everything(engine: Engine) -> dict[str, list[tuple]]:
    tables = {
        "private.reports": engine.over_all("private.reports") + " FINAL",
        "private.counted": engine.over_all("private.counted"),
        **{name: f"{name} FINAL" for name in ("private.loads", "public.menus", "public.cells", "public.releases")},
    }
    return {name: engine.rows(f"SELECT * FROM {table} ORDER BY ALL") for name, table in tables.items()}
