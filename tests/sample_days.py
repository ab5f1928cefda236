"""Days and rows that tests of several rooms use."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from collector.ingest.pseudonyms import NO_LICENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector.store.engine import Engine

DAY = dt.date(2026, 9, 14)  # a Monday
ONE = dt.timedelta(days=1)


def row(day: dt.date = DAY, **fields: Any) -> dict[str, Any]:
    """A row as ingest stores it."""
    return {
        "report_id": uuid.uuid4(),
        "received_on": day,
        "report": "image-boot/1",
        "source": "vm",
        "product": "wordpress",
        "product_version": "6.4.2",
        "version_line": "6.4",
        "os_version": "debian-12",
        "instance_type": "",
        "language": "en-US",
        "licence": uuid.UUID(NO_LICENCE),
    } | fields


def run_row(day: dt.date = DAY, **fields: Any) -> dict[str, Any]:
    """A row of an InstallBuilder run."""
    run = {"report": "installbuilder-run/1", "source": "installbuilder", "product": "installbuilder"}
    return row(day, **(run | {"product_version": "25.7.0", "version_line": "25.7"} | fields))


def receive(engine: Engine, rows: Iterable[dict[str, Any]]) -> None:
    """Puts rows where the loader puts them."""
    rows = list(rows)
    engine.insert(engine.over_all("private.reports"), list(rows[0]), [list(one.values()) for one in rows])
