"""Purges a withdrawn field: what came of it before it was withdrawn is left empty, in the store and on this machine."""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from collector import request_journal
from collector.forgetting import not_loaded, not_sealed
from collector.store.blanking import COLUMNS, blank
from collector.store.segment_rows import (
    lines_of,
    quarantined_files,
    remove_parts,
    rewrite,
    sealed_files,
    wait_until_sealed,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from collector.storeroom import StoreRoom
    from schemas.policy import Policy

_SEALING_SECONDS = 10


class NotWithdrawnError(Exception):
    """The field may not be purged; the text says why."""


@dataclass(frozen=True)
class Purged:
    """What was purged.

    Attributes:
        request: a random id, as in the journal.
        sources: from which the field is withdrawn.
        rows: `store`, `spool`, `quarantine` -> rows that held it.
        unreadable: lines of the quarantine that are no JSON and stay as they are.
        pending: from where rows that hold it may still come in, in words; empty when it is done.
    """

    request: str
    sources: tuple[str, ...]
    rows: Mapping[str, int]
    unreadable: int
    pending: tuple[str, ...]


def sources_of(policy: Policy, field: str) -> tuple[str, ...]:
    """The sources from which a field is withdrawn.

    Raises:
        NotWithdrawnError: it is from none, or rows cannot be without it.
    """
    if field not in policy.known_fields():
        raise NotWithdrawnError("the policy knows no such field")
    if field not in COLUMNS:
        raise NotWithdrawnError(f"{field} cannot be purged: without it a row is none; rows go when they expire")
    sources = sorted({s for p in policy.permits_ if p.field == field and p.withdrawn for s in p.sources})
    if not sources:
        raise NotWithdrawnError(f"{field} is still permitted: withdraw it in the policy first, then `collector reload`")
    return tuple(sources)


def purge(room: StoreRoom, field: str, sources: tuple[str, ...], today: dt.date) -> Purged:
    """Leaves a field empty wherever it is; no day may be closed and no segment retried in this process meanwhile.

    Raises:
        HeldByAnotherError: another collector closes days.
        OldPartsError, EngineError, OSError: it could not be ended; repeat it.
    """
    request = f"purge-{secrets.token_hex(6)}"
    request_journal.note(room.paths.requests, request, "purge", "asked", today, {}, field=field)
    empty = COLUMNS[field]

    def blanked(line: bytes) -> bytes:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return line
        if not isinstance(row, dict) or row.get("source") not in sources:
            return line
        changed = row | {name: value for name, value in empty.items() if name in row}
        return line if changed == row else orjson.dumps(changed, option=orjson.OPT_APPEND_NEWLINE)

    paths = room.paths
    open_segments = wait_until_sealed(paths.spool, room.settings.seal_after_seconds + _SEALING_SECONDS)
    with room.loader.resting():
        remove_parts(paths.data, paths.spool, paths.quarantine)
        rows = {"spool": sum(rewrite(path, blanked) for path in sealed_files(paths.spool))}
        set_aside = quarantined_files(paths.quarantine)
        rows["quarantine"] = sum(rewrite(path, blanked) for path in set_aside)
        unreadable = sum(_is_unreadable(line) for path in set_aside for line in lines_of(path))
    # Asked before: what a machine loads while rows are emptied is not emptied with them.
    pending = (*not_sealed(open_segments), *not_loaded(room, today))
    with closing(room.engine.session()) as session:
        rows["store"] = blank(session, field, sources, room.publisher.lease.hold)
    state: request_journal.State = "pending" if pending else "done"
    request_journal.note(room.paths.requests, request, "purge", state, today, rows, field=field)
    return Purged(request, sources, rows, unreadable, pending)


def _is_unreadable(line: bytes) -> bool:
    try:
        return not isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return True
