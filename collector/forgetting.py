"""Forgets a licence: its rows in the store, in this machine's spool and in its quarantine.

A request is written down first (forgotten.py), so that whatever ends this process, the next start of `serve` or
`collector forget --pending` goes on. It stays pending, and is repeated, while days are closed by another
collector, while the store is away, and while another machine may hold reports that came before it: until each has
loaded past the day of the request. Reports of that licence which come later are new ones and stay.
"""

from __future__ import annotations

import math
import secrets
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from collector import forgotten, request_journal
from collector.forgotten import Forgotten
from collector.ingest.pseudonyms import PepperError
from collector.layout import BEFORE_MOVE
from collector.metrics import ERASURES_PENDING, OLDEST_ERASURE_PENDING_SECONDS
from collector.store import nodes
from collector.store.engine import EngineError
from collector.store.erasing import OldPartsError, erase
from collector.store.lease import HeldByAnotherError
from collector.store.segment_rows import quarantined_files, remove_parts, rewrite, sealed_files, wait_until_sealed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from collector.layout import Layout
    from collector.storeroom import StoreRoom

log = structlog.get_logger()
# Beyond `seal_after_seconds`, after which a worker seals what it writes to.
_SEALING_SECONDS = 10


@dataclass(frozen=True)
class Receipt:
    """What is told of a request; no key and no pseudonym is in it.

    Attributes:
        request: its random id.
        asked_on: the UTC date.
        removed: `store`, `spool`, `quarantine` -> rows that were removed in this run.
        pending: what has still to be done, in words; empty when the request is done.
        backups_until: the last day on which a backup may hold the rows.
        detached: parts that the engine has put aside as broken.
        whole: whether the store was this collector's to change.
        missing: quarters of the store's reports whose peppers are not here: its rows of then could not be found.
        moved: engines that `collector move` has put aside, with all their rows.
    """

    request: str
    asked_on: dt.date
    removed: Mapping[str, int]
    pending: tuple[str, ...]
    backups_until: dt.date
    detached: int = 0
    whole: bool = True
    missing: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


def forget(room: StoreRoom, pseudonyms: Iterable[str], today: dt.date, kept_days: int = 0) -> Receipt:
    """Takes a request down and carries it out as far as can be done now.

    No day may be closed, no backup taken and no segment retried in this process meanwhile.

    Args:
        room: the store; of a collector that takes reports only, its spool and quarantine.
        pseudonyms: of the licence, one for each pepper.
        today: the UTC date.
        kept_days: how long backups are kept, if that is longer than this machine knows.

    Raises:
        OSError: a file cannot be written.
    """
    days = max(kept_days, forgotten.kept_days(room.paths))
    one = Forgotten(f"forget-{secrets.token_hex(6)}", today, tuple(pseudonyms), forgotten.until(today, days))
    if room.role.migrates:
        forgotten.keep(room.paths, one)
    request_journal.note(room.paths.requests, one.request, "forget", "asked", today, {})
    return _carry_out(room, one, today, _open_still(room))


def repeat(room: StoreRoom, today: dt.date) -> list[Receipt]:
    """Goes on with the requests that are pending, and lets go of those that no backup can bring back.

    After a restore it repeats those that were done, too, once: the list may have come back after the rows did.

    Args:
        room: the store.
        today: the UTC date.

    Raises:
        OSError: a file cannot be written.
    """
    forgotten.let_go(room.paths, today)
    is_restored = room.paths.restored.exists()
    due = [one for one in forgotten.read(room.paths) if one.is_pending or is_restored]
    # Waited for once: all of them were asked for before.
    open_still = _open_still(room) if due else 0
    receipts = [_carry_out(room, one, today, open_still) for one in due]
    room.paths.restored.unlink(missing_ok=True)  # what could not be done is pending now
    return receipts


def forget_restored(room: StoreRoom) -> int:
    """Erases from a store that is back from a backup what was forgotten since.

    Returns:
        How many rows.

    Raises:
        OldPartsError, HeldByAnotherError, EngineError: it could not be done; the collector does it when it starts.
        OSError: the list cannot be read.
    """
    pseudonyms = {pseudonym for one in forgotten.read(room.paths) for pseudonym in one.pseudonyms}
    if not pseudonyms:
        return 0
    with closing(room.engine.session()) as session:
        return erase(session, sorted(pseudonyms), room.publisher.lease.hold).rows


def tell(paths: Layout, now: dt.datetime) -> None:
    """Says in the metrics how many requests are pending at `now` (UTC), and how old the oldest is.

    Raises:
        OSError, ValueError, KeyError: the list cannot be read, and the metrics are no numbers.
    """
    ages = [math.nan]
    try:
        ages = [one.age(now).total_seconds() for one in forgotten.pending(paths)]
        ERASURES_PENDING.set(len(ages))
    except (OSError, ValueError, KeyError):
        ERASURES_PENDING.set(math.nan)
        raise
    finally:
        OLDEST_ERASURE_PENDING_SECONDS.set(max(ages, default=0.0))


def not_sealed(open_segments: int) -> list[str]:
    """What of this machine's spool could not be looked at, in words."""
    return [f"{open_segments} segments of the spool that a worker has not sealed"] if open_segments else []


def not_loaded(room: StoreRoom, day: dt.date) -> list[str]:
    """The other machines that may still hold reports of a day or before, in words.

    Raises:
        EngineError: the engine failed.
    """
    if room.settings.store_url is None:
        return []
    return [
        f"{node.name}, which has loaded what it received through {node.loaded_past} and not {day} yet"
        for node in nodes.lagging(room.engine, day)
        if node.name != room.node_name
    ]


def _open_still(room: StoreRoom) -> int:
    return wait_until_sealed(room.paths.spool, room.settings.seal_after_seconds + _SEALING_SECONDS)


def _carry_out(room: StoreRoom, one: Forgotten, today: dt.date, open_still: int) -> Receipt:
    removed, detached = {"store": 0, "spool": 0, "quarantine": 0}, 0
    missing: tuple[str, ...] = ()
    until = forgotten.until_if_done(one, today)
    pending = not_sealed(open_still)
    _from_files(room, one, removed)
    if room.role.migrates:
        try:
            # Asked before: what a machine loads and is done with while rows are erased is not erased with them.
            pending += not_loaded(room, one.asked_on)
            with closing(room.engine.session()) as session:
                erased = erase(session, one.pseudonyms, room.publisher.lease.hold)
            removed["store"], detached = erased
            missing = room.pepper.missing(room.engine)
        except (HeldByAnotherError, OldPartsError, EngineError, PepperError) as error:
            pending.append(f"the store: {error}")
        waiting = replace(one, is_pending=True, waits_for=tuple(pending))
        done = replace(one, is_pending=False, waits_for=(), until=until)
        forgotten.keep(room.paths, waiting if pending else done)
        forgotten.let_go(room.paths, today)
    state: request_journal.State = "pending" if pending else "done"
    request_journal.note(room.paths.requests, one.request, "forget", state, today, removed)
    log.info("licence_forgotten", request=one.request, state=state)
    return Receipt(
        request=one.request,
        asked_on=one.asked_on,
        removed=removed,
        pending=tuple(pending),
        backups_until=until,
        detached=detached,
        whole=room.role.migrates,
        missing=missing,
        moved=tuple(sorted(path.name for path in room.paths.data.glob(f"{BEFORE_MOVE}*"))),
    )


def _from_files(room: StoreRoom, one: Forgotten, removed: dict[str, int]) -> None:
    """Takes the rows out of spool and quarantine."""
    needles = [pseudonym.encode() for pseudonym in one.pseudonyms]

    def without(line: bytes) -> bytes:
        return b"" if any(needle in line for needle in needles) else line

    paths = room.paths
    with room.loader.resting():
        remove_parts(paths.data, paths.spool, paths.quarantine)
        # The spool first: whatever of it was set aside before is in quarantine by now.
        removed["spool"] = sum(rewrite(path, without) for path in sealed_files(paths.spool))
        removed["quarantine"] = sum(rewrite(path, without) for path in quarantined_files(paths.quarantine))
