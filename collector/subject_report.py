"""What is held about a licence: counts of its rows, wherever they are. Nothing of the question is written anywhere.

A statement may be logged by a server, so it holds three hex digits of a pseudonym, which one in 4,096 licences has; the
whole one is compared here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import orjson

from collector.ingest.segment import OPEN, segments
from collector.store.erasing import tables_of_reports
from collector.store.segment_rows import lines_of, quarantined_files, sealed_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from collector.storeroom import StoreRoom

FIELDS = ("product", "product_version", "os_version", "language")
_SHOWN_DIGITS = 3


class Held(NamedTuple):
    """Rows of one kind.

    Attributes:
        where: `counted`, `received`, `spool` or `quarantine`.
        day: the UTC date on which they came, or count.
        product: as it was reported, as the other fields are.
        reports: how many rows.
    """

    where: str
    day: str
    product: str
    product_version: str
    os_version: str
    language: str
    reports: int


def held(room: StoreRoom, pseudonyms: Iterable[str]) -> list[Held]:
    """What is held of these pseudonyms, by place and day; `room` is a store that may be read.

    Raises:
        EngineError: the engine failed.
    """
    wanted = set(pseudonyms)
    found: Counter[Held] = Counter()
    for one in itertools.chain(_stored(room, wanted), _waiting(room, wanted)):
        found[one._replace(reports=0)] += one.reports
    return [one._replace(reports=reports) for one, reports in sorted(found.items())]


def _stored(room: StoreRoom, wanted: set[str]) -> Iterator[Held]:
    for node in room.engine.nodes:
        for table, digits in itertools.product(
            tables_of_reports(node), sorted({one[:_SHOWN_DIGITS] for one in wanted})
        ):
            is_counted = table == "private.counted"
            day = "counted_on" if is_counted else "received_on"
            rows = node.rows(
                f"SELECT toString(licence), toString({day}), {', '.join(FIELDS)}, uniqExact(report_id) FROM {table} "
                f"WHERE startsWith(toString(licence), '{digits}') GROUP BY ALL"
            )
            for licence, *fields in rows:
                if licence in wanted:
                    yield Held("counted" if is_counted else "received", *fields)


def _waiting(room: StoreRoom, wanted: set[str]) -> Iterator[Held]:
    spool = [*segments(room.paths.spool, OPEN), *sealed_files(room.paths.spool)]
    for where, files in (("spool", spool), ("quarantine", quarantined_files(room.paths.quarantine))):
        for line in itertools.chain.from_iterable(map(lines_of, files)):
            if any(one.encode() in line for one in wanted):
                yield _read(where, line)


def _read(where: str, line: bytes) -> Held:
    """A line, as far as it can be read."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = {}
    day, product, version, system, language = (str(row.get(name, "")) for name in ("received_on", *FIELDS))
    return Held(where, day, product, version, system, language, 1)
