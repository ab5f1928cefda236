"""Leaves a withdrawn field empty in every row of `private` that came before it was withdrawn.

Received rows are changed in place: the statement holds a field's name and no value. Counted rows are ordered by their
fields, which no statement may change, so a day of them is copied into a table of its own with the field left
empty, `private.blanking_<random>`, and put back by one REPLACE PARTITION; only the publisher writes there, and it
stands by. Each step is safe to repeat after a kill at any moment.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from collector.ingest.pseudonyms import NO_LICENCE
from collector.store.erasing import drop_left_over, remove_old_parts, tables_of_reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from collector.store.engine import Engine

# Field of a report -> columns that hold it -> what is in them when it is empty. Without the other fields nothing is
# left to count.
COLUMNS: dict[str, dict[str, str]] = {
    "product_version": {"product_version": "", "version_line": ""},
    "os_version": {"os_version": ""},
    "instance_type": {"instance_type": ""},
    "language": {"language": ""},
    "license_key": {"licence": NO_LICENCE},
}
_COUNTED = "private.counted"


def blank(engine: Engine, field: str, sources: Iterable[str], still: Callable[[], None]) -> int:
    """Leaves `field` empty in the rows of these sources, on every node.

    Args:
        engine: a connection of its owner's.
        field: one of COLUMNS.
        sources: of the policy's closed list.
        still: raises if days may be closed by somebody else meanwhile.

    Returns:
        How many reports held it.

    Raises:
        OldPartsError: the rows are empty, and their old parts are still there; repeat it.
        EngineError: the engine failed; repeat it.
    """
    of_sources = "source IN ({})".format(", ".join(f"'{one}'" for one in sorted(sources)))
    empty = COLUMNS[field]
    full = " OR ".join(f"{column} != '{value}'" for column, value in empty.items())
    held = f"{of_sources} AND ({full})"
    blanked = 0
    for node in engine.nodes:
        drop_left_over(node, still)
        for table in tables_of_reports(node):
            found = node.rows(
                f"SELECT _partition_id, uniqExact(report_id) FROM {table} WHERE {held} GROUP BY ALL ORDER BY ALL"
            )
            for partition, rows in found:
                still()
                if table == _COUNTED:
                    _copy_without(node, partition, empty, of_sources, still)
                else:
                    change = ", ".join(f"{column} = '{value}'" for column, value in empty.items())
                    node.command(
                        f"ALTER TABLE {table} UPDATE {change} IN PARTITION ID '{partition}' WHERE {held} "
                        "SETTINGS mutations_sync = 2"
                    )
                blanked += int(rows)
            still()
            remove_old_parts(node, table)
    return blanked


def _copy_without(
    node: Engine, partition: str, empty: dict[str, str], of_sources: str, still: Callable[[], None]
) -> None:
    # A counted row says, too, whether there was a key at all.
    values = {column: f"'{value}'" for column, value in empty.items()} | (
        {"keyed": "false"} if "licence" in empty else {}
    )
    replaced = ", ".join(f"if({of_sources}, {value}, {column}) AS {column}" for column, value in values.items())
    copy = f"private.blanking_{secrets.token_hex(8)}"
    node.command(f"CREATE TABLE {copy} AS {_COUNTED}")
    node.command(
        f"INSERT INTO {copy} SELECT * REPLACE ({replaced}) FROM {_COUNTED} WHERE _partition_id = '{partition}'"
    )
    still()
    node.command(f"ALTER TABLE {_COUNTED} REPLACE PARTITION ID '{partition}' FROM {copy}")
    node.command(f"DROP TABLE {copy} SYNC")
