"""Where to look: files, tables and processes, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from collector.store.engine import Engine

_OWN = "('INFORMATION_SCHEMA', 'information_schema')"


def files(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `directory` with its content; one that goes away meanwhile is left out."""
    for path in sorted(directory.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(directory).as_posix(), path.read_bytes()
        except FileNotFoundError:
            continue


def tables(engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Every table that is kept on disk, logs of the engine's own included, with all its values.

    Files of tables are packed, so that what is in them does not show; here nothing is.
    """
    kept = engine.rows(
        f"SELECT database, name FROM system.tables WHERE database NOT IN {_OWN} "
        "AND (database != 'system' OR engine LIKE '%MergeTree' OR engine LIKE '%Log') ORDER BY ALL"
    )
    for database, name in kept:
        rows = engine.rows(f"SELECT * FROM `{database}`.`{name}`")
        yield f"{database}.{name}", b"\n".join(_bytes(value) for row in rows for value in row)


def definitions(engine: Engine) -> bytes:
    """How all tables and columns are defined, comments and defaults included."""
    rows = engine.rows("SELECT create_table_query, comment FROM system.tables WHERE database != 'system'")
    return b"\n".join(_bytes(value) for row in rows for value in row)


def processes(pids: list[int]) -> Iterator[tuple[str, bytes]]:
    """What every user of the machine, or the same one, can read of running processes."""
    for pid in pids:
        for kind in ("cmdline", "environ", "comm"):
            try:
                yield f"process {kind}", Path(f"/proc/{pid}/{kind}").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        return b"\n".join(map(_bytes, value))
    return str(value).encode("utf-8", "surrogateescape")
