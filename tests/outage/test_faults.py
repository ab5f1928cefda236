"""Whatever the store does, accepting goes on; and when it is well again, it gets everything, once, by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clickhouse_server import PASSWORD, USERS
from tests.conftest import missing
from tests.outage.conftest import Site
from tests.outage.fault_proxy import Fault
from tests.outage.fleet import events, wait_for_event, wait_until_well

ANSWERED, LOST, TIMEOUT, REFUSED = "answered", "lost", "timeout", "refused"


def outage(site: Site, begin: Callable[[], None], end: Callable[[], None], kind: str = "") -> dict[str, object]:
    """An outage from beginning to end.

    Args:
        site: the collector and its store.
        begin: makes it.
        end: ends it.
        kind: which of what the collector says is meant, where the beginning itself is an outage of another kind.

    Returns:
        What the collector said of it.
    """
    wait_until_well(site.server)
    seen, back = len(events(site.server, "store_unreachable")), len(events(site.server, "store_reachable"))
    begin()
    site.fleet.send(100)
    event = wait_for_event(site.server, "store_unreachable", seen, kind=kind)
    assert site.server.metric("telemetry_store_up") == 0
    site.fleet.send(60)
    end()
    site.check()
    wait_for_event(site.server, "store_reachable", back)
    assert "Traceback" not in site.server.log.read_text()
    return event


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault.REFUSE, REFUSED, 0),
        (Fault.STALL, TIMEOUT, 0),
        (Fault.RESET, LOST, 0),
        (Fault.ERROR, ANSWERED, 0),
        (Fault.CUT_INSERT, LOST, 0),
        (Fault.HALF_CLOSE_INSERT, ANSWERED, (3, 33)),  # as much as the server had parsed by then
        (Fault.LOSE_ANSWER, LOST, 0),
        (Fault.CUT_ANSWER, LOST, 0),
    ],
)
def test_network_fails(site: Site, fault: Fault, kind: str, code: int | tuple[int, ...]) -> None:
    event = outage(site, lambda: site.proxy.set(fault), lambda: site.proxy.set(Fault.NONE))
    assert event["kind"] == kind
    assert event["code"] in (code if isinstance(code, tuple) else (code,))


def test_insert_was_done_and_its_answer_lost(site: Site) -> None:
    """It is sent again, and the same ids make the same rows."""
    site.proxy.set(Fault.LOSE_ANSWER)
    seen = len(events(site.server, "store_unreachable"))
    site.fleet.send(100)
    wait_for_event(site.server, "store_unreachable", seen)
    assert site.proxy.felt
    ((rows,),) = site.store.ask("SELECT uniqExact(report_id) FROM private.reports")
    assert int(rows) == len(site.fleet.accepted), "the insert was done"
    assert [*site.server.data.glob("spool/*/sealed/*")], "and is not believed"
    site.proxy.set(Fault.NONE)
    site.check()


def test_outage_is_said_once_however_often_it_is_met(site: Site) -> None:
    seen = len(events(site.server, "store_unreachable"))
    failures = site.server.metric("telemetry_load_failures_total")
    site.proxy.set(Fault.REFUSE)
    site.fleet.send(20)
    while site.server.metric("telemetry_load_failures_total") < failures + 3:
        time.sleep(0.05)
    site.proxy.set(Fault.NONE)
    site.check()
    assert len(events(site.server, "store_unreachable")) == seen + 1


def test_slow_network_is_no_outage(site: Site) -> None:
    seen = len(events(site.server, "store_unreachable"))
    site.proxy.set(Fault.SLOW)
    site.fleet.send(100)
    site.check()
    assert site.proxy.felt
    assert len(events(site.server, "store_unreachable")) == seen
    assert site.server.metric("telemetry_store_up") == 1


def test_server_hangs(site: Site) -> None:
    event = outage(site, site.store.hang, site.store.go_on)
    assert event["kind"] == TIMEOUT


def test_server_is_read_only(site: Site) -> None:
    read_only = USERS.replace("<readonly>0<", "<readonly>1<")
    with other_users(site, read_only) as (restart, restore):
        event = outage(site, restart, restore, ANSWERED)
    assert (event["kind"], event["code"]) == (ANSWERED, 164)


def test_password_is_changed_and_the_file_follows_later(site: Site) -> None:
    """Wrong for a while, and right again without a restart of the collector."""
    with other_users(site, USERS.replace(PASSWORD, "another-password")) as (restart, restore):
        event = outage(site, restart, lambda: write_secret(site.store.password_file, "another-password"), ANSWERED)
        write_secret(site.store.password_file, PASSWORD)
        restore()
        site.fleet.send(20)
        site.check()
    assert (event["kind"], event["code"]) == (ANSWERED, 516)
    written = [site.server.log, *filter(Path.is_file, site.server.data.rglob("*"))]
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


def test_disk_of_the_server_is_full(site: Site, small_disk: Path | None) -> None:
    if small_disk is None:
        missing("a small file system for the server's data needs root and mount")
    filler = small_disk / "filler"

    def fill() -> None:
        with filler.open("wb") as file:
            disk = os.statvfs(small_disk)
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_bsize)

    event = outage(site, fill, filler.unlink)
    assert event["kind"] == ANSWERED
    assert event["code"] == 243


@contextmanager
def other_users(site: Site, users: str) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Two calls: one starts the server again with other users, one, or the end, gives it its own back."""

    def restart(text: str) -> None:
        site.store.kill()
        (site.store.directory / "users.xml").write_text(text)
        site.store.start()

    try:
        yield lambda: restart(users), lambda: restart(USERS)
    finally:
        if (site.store.directory / "users.xml").read_text() != USERS:
            restart(USERS)


def write_secret(path: Path, secret: str) -> None:
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(secret)
    new.replace(path)
