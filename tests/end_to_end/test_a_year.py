"""A year in simulated time: policy, version, quarters, erasures, a lost store; and at its end every promise, looked up.

Reports go through the real validation, spool, loader, closing, release and retention; only the day is passed in.
`make test-year` does the whole year, the default six weeks around the end of its first quarter.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from collector.backups import restore, take
from collector.configuration import Configuration, limits_of, read_configuration
from collector.forgetting import forget, repeat
from collector.ingest.pseudonyms import Peppers, last_day, quarter, quarters
from collector.ingest.spool import SegmentWriter
from collector.ingest.validation import Accepted, Validator
from collector.journal import Journal
from collector.layout import layout
from collector.purging import purge, sources_of
from collector.reports.access.ledger import Ledger
from collector.retention.deleting import Deleting
from collector.retention.holdings import in_store, on_disk
from collector.retention.status import rows
from collector.roles import Role
from collector.settings import Settings
from collector.store.backup import open_backup
from collector.storeroom import StoreRoom, open_store
from schemas.reports import REPORTS, ImageBoot, Report
from tests.erasure.everywhere import found
from tests.erasure.test_blanking import withdraw
from tests.leaks.needles import text_needle, uuid_needle
from tests.ready_engine import ReadyEngine
from tests.sample_days import ONE

pytestmark = pytest.mark.timeout(1200)
WHOLE = os.environ.get("YEAR") == "all"
FIRST, LAST = (dt.date(2026, 1, 1), dt.date(2026, 12, 31)) if WHOLE else (dt.date(2026, 3, 1), dt.date(2026, 4, 12))
WITHDRAWN_ON, VERSION_2_ON = dt.date(2026, 3, 4), dt.date(2026, 3, 6)
FORGOTTEN_ON = {"first": dt.date(2026, 3, 8), "second": dt.date(2026, 3, 20)}
BACKED_UP_ON, LOST_ON = dt.date(2026, 3, 15), dt.date(2026, 3, 27)
KEYS = {"first": "LICENCE-FIRST-Q7ZK4M2X", "second": "LICENCE-SECOND-9VBD1K3J"}
BOOT, RUN = REPORTS["image-boot/1"], REPORTS["installbuilder-run/1"]
HOLDERS = 110  # above the gate of 82
BOOTS = 60  # above that of 40


class ImageBootOfLater(ImageBoot):
    """A second version of the report beside the first: another class, sent to another path."""


BOOT_2 = Report("image-boot", 2, ImageBootOfLater, BOOT.sources)


@dataclass
class Year:
    """One collector's directory through the year."""

    settings: Settings
    policy: Path
    released: dict[tuple[str, dt.date], list[tuple]] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)
    backup: Path | None = None
    destroyed: set[str] = field(default_factory=set)

    @property
    def configuration(self) -> Configuration:
        return read_configuration(self.settings)

    @contextmanager
    def open(self) -> Iterator[StoreRoom]:
        with open_store(self.settings, layout(self.settings), self.configuration, Role.SERVE) as room:
            yield room

    def receive(self, day: dt.date) -> None:
        """A day's reports, from bytes to sealed segments."""
        configuration = self.configuration
        peppers = Peppers(self.settings.data / "secrets")
        validator = Validator(
            configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4())
        )
        boot = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "os_version": "debian-12"}
        sent = [(BOOT, boot | {"language": "pt-BR"})] * BOOTS
        if day >= VERSION_2_ON:
            sent += [(BOOT_2, boot | {"language": "pt-BR"})] * BOOTS
        if day.day in {5, 20}:
            run = {"product": "installbuilder", "product_version": "25.7.0", "os_version": "windows-11"}
            keys = [f"LICENCE-OF-HOLDER-{n:04}" for n in range(HOLDERS)]
            keys += [key for name, key in KEYS.items() if day <= FORGOTTEN_ON[name]]
            sent += [(RUN, run | {"license_key": key}) for key in keys]
        verdicts = [validator.validate_json(report, json.dumps(body).encode(), day) for report, body in sent]
        assert all(isinstance(verdict, Accepted) for verdict in verdicts)
        content = b"".join(verdict.row for verdict in verdicts if isinstance(verdict, Accepted))
        SegmentWriter(self.settings.data / "spool/w0", seal_after_bytes=1, reserve_percent=0).append(day, content)

    def close(self, room: StoreRoom, through: dt.date) -> None:
        """Loads and closes, and sees that what is out is what it was."""
        room.loader.load_sealed()
        room.publisher.publish(through + ONE, through)
        now = cells(room)
        changed = [period for period, before in self.released.items() if now.get(period) != before]
        assert changed == []
        self.released = now

    def keep_to_limits(self, room: StoreRoom, today: dt.date) -> None:
        """What the store process does each hour, and what `collector retention status` would say after it."""
        paths = layout(self.settings)
        limits = limits_of(self.settings, self.configuration.policy)
        before = set(quarters(paths.secrets))
        ledger, journal = Ledger(paths.access), Journal(paths.access)
        try:
            assert Deleting(room, ledger, journal, limits).run(today)
        finally:
            journal.close()
            ledger.close()
        self.destroyed |= before - set(quarters(paths.secrets))
        held = {**on_disk(paths, today), **in_store(room.engine, today)}
        assert [row.keeping.kind for row in rows(limits, held, today) if row.is_over] == []


def cells(room: StoreRoom) -> dict[tuple[str, dt.date], list[tuple]]:
    """Period -> its cells, of days, weeks and months."""
    out: dict[tuple[str, dt.date], list[tuple]] = {}
    for grain, period, *cell in room.engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL"):
        if not grain.startswith("so_far"):
            out.setdefault((grain, period), []).append(tuple(cell))
    return out


def needle_of(year: Year, name: str):
    """The key itself and its pseudonyms under every pepper that is there."""
    peppers = Peppers(year.settings.data / "secrets", makes=False)
    under = [uuid.UUID(one) for one in peppers.all_pseudonyms(KEYS[name]).values()]
    key, pseudonym = text_needle(name, KEYS[name]), uuid_needle(name, *under)
    return replace(key, exact=key.exact | pseudonym.exact, folded=key.folded | pseudonym.folded)


def where(year: Year, room: StoreRoom, name: str) -> set[str]:
    """Every place in the directory where a licence is, but for the list that keeps it erased."""
    places = found(room.engine, year.settings.data, needle_of(year, name))
    return set().union(*places.values()) - {"disk: secrets/forgotten"}


@pytest.fixture
def year(tmp_path: Path, ready_engine: ReadyEngine) -> Year:
    policy = tmp_path / "policy.toml"
    shutil.copy(Settings(data=tmp_path).policy, policy)
    settings = Settings(data=tmp_path / "data", policy=policy)
    ready_engine.put(settings.data / "engine")
    layout(settings)
    return Year(settings, policy)


def test_every_promise_holds_at_the_end_of_it(year: Year, tmp_path: Path) -> None:
    day = FIRST
    while day <= LAST:
        with year.open() as room:
            day = until_something_happens(year, room, day, tmp_path)
        if day == LOST_ON and year.withheld == set():
            lose_the_store(year, day)
    with year.open() as room:
        look_at_everything(year, room)


def until_something_happens(year: Year, room: StoreRoom, day: dt.date, tmp_path: Path) -> dt.date:
    """Goes on from `day` to the next one on which the store is opened anew."""
    while day <= LAST:
        if day.toordinal() % 3 == 0 or day.day in {5, 20}:
            year.receive(day)
        if day.isoweekday() == 7:
            year.close(room, day - ONE)
            year.keep_to_limits(room, day)
            repeat(room, day)
        if day == WITHDRAWN_ON:
            withdraw_language(year, room, day)
        for name, asked_on in FORGOTTEN_ON.items():
            if day == asked_on:
                forget_one(year, room, name, day)
        if day == BACKED_UP_ON:
            year.close(room, day - ONE)
            year.backup = take(room, tmp_path / "backups", 7, lambda _: lambda _: None).path
        day += ONE
        if day in {WITHDRAWN_ON + ONE, LOST_ON}:
            return day
    return day


def withdraw_language(year: Year, room: StoreRoom, day: dt.date) -> None:
    room.loader.load_sealed()
    assert with_language(room) > 0, "it is found where it is, or looking later proves nothing"
    withdraw(year.policy)
    year.receive(day)
    room.loader.load_sealed()
    purge(room, "language", sources_of(year.configuration.policy, "language"), day)
    assert with_language(room) == 0


def with_language(room: StoreRoom) -> int:
    """How many private rows have one."""
    tables = ("private.reports", "private.counted")
    return sum(room.engine.rows(f"SELECT count() FROM {table} WHERE language != ''")[0][0] for table in tables)


def forget_one(year: Year, room: StoreRoom, name: str, day: dt.date) -> None:
    room.loader.load_sealed()
    assert where(year, room, name), "it is found where it is, or the search proves nothing"
    peppers = Peppers(year.settings.data / "secrets", makes=False)
    receipt = forget(room, peppers.all_pseudonyms(KEYS[name]).values(), day, kept_days=40)
    assert receipt.pending == ()
    assert receipt.removed["store"] > 0
    assert where(year, room, name) == set()


def lose_the_store(year: Year, day: dt.date) -> None:
    """The engine's directory is gone; what was backed up before the second erasure comes back."""
    shutil.rmtree(year.settings.data / "engine")
    assert year.backup is not None
    with year.open() as room:
        now = dt.datetime.combine(day, dt.time(9), dt.UTC)
        done = restore(room, open_backup(year.backup), now, lambda _: lambda _: None, publish_again=False)
        year.withheld = {str(period) for period in done.withheld}
        assert done.erased > 0, "the backup held the licence that was forgotten after it"
        back = cells(room)
        lost = year.released.keys() - back.keys()
        assert {start for grain, start in lost if grain == "day"} == {
            start for grain, start in year.released if grain == "day" and start >= BACKED_UP_ON
        }
        assert all(back[period] == year.released[period] for period in back)
        year.released = back


def look_at_everything(year: Year, room: StoreRoom) -> None:
    today = LAST + ONE
    year.close(room, LAST)
    year.keep_to_limits(room, today)
    # Erased licences are nowhere, not even where the backup brought them back.
    for name in KEYS:
        assert where(year, room, name) == set()
    # A withdrawn field is in no row, also not in what the backup brought back and old clients still send.
    sources = sources_of(year.configuration.policy, "language")
    purge(room, "language", sources, today)
    assert with_language(room) == 0
    # Both versions of a report count together, and licences are counted once a month.
    day = next(period for grain, period in sorted(year.released, reverse=True) if grain == "day")
    (total,) = (cell for cell in year.released["day", day] if (cell[1], cell[2]) == ("", "wordpress"))
    assert abs(total[-2] - 2 * BOOTS) <= 3 * total[-1]
    months = {start for grain, start in year.released if grain == "month"}
    assert months == {
        first for n in range(12) if (first := dt.date(2026, n + 1, 1)) >= FIRST and first < LAST.replace(day=1)
    } | ({LAST.replace(day=1)} if WHOLE else set())
    # Rows are gone once nothing needs them, and so are the peppers that nothing is left of.
    (oldest,) = room.engine.rows("SELECT min(counted_on) FROM private.counted")
    assert oldest[0] >= (LAST - dt.timedelta(days=12)).replace(day=1)
    kept = set(quarters(year.settings.data / "secrets"))
    assert quarter(LAST) in kept
    past = {quarter(dt.date(2026, month, 1)) for month in (1, 4, 7, 10) if dt.date(2026, month, 1) <= LAST} - kept
    assert past == {name for name in past if last_day(name) < LAST}
    assert past <= year.destroyed
    assert len(past) == (3 if WHOLE else 1)
    # No key was ever written anywhere, and no holder's either.
    held = b"".join(
        path.read_bytes() for path in year.settings.data.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert b"LICENCE-OF-HOLDER" not in held
