"""One sender at a time: who holds the lock of a state directory, and what becomes of the others."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conformance.listener import Listener
    from tests.client.tcl.tclsh import Tcl

_TAKE = """
set lock [telemetry::lock::take [lindex $argv 0] 2000]
tell [lindex $lock 0]
tell [lindex [telemetry::lock::take [lindex $argv 0] 200] 0]
telemetry::lock::release $lock
tell [lindex [telemetry::lock::take [lindex $argv 0] 200] 0]
"""


def test_lock_is_held_once(tcl: Tcl) -> None:
    tcl.state.mkdir()
    assert tcl.run(_TAKE, str(tcl.state)) == [["held"], ["busy"], ["held"]]
    made = (tcl.state / "lock").stat()
    assert (stat.S_IMODE(made.st_mode), made.st_size) == (0o600, 0)


def test_lock_makes_nothing_of_a_directory_that_was_removed_meanwhile(tcl: Tcl) -> None:
    """An empty file in its place would keep every client from storing an off."""
    assert tcl.run(_TAKE, str(tcl.state)) == [["none"]] * 3
    assert not tcl.state.exists()


def test_where_there_is_no_flock_it_is_done_without(tcl: Tcl) -> None:
    tcl.state.mkdir()
    # The system's own places are looked into whatever PATH says.
    away = "proc telemetry::programs::find {name} {return {}}\n"
    assert tcl.run(away + _TAKE, str(tcl.state)) == [["none"]] * 3
    assert list(tcl.state.iterdir()) == []


def test_no_link_is_followed_to_the_lock(tcl: Tcl) -> None:
    tcl.state.mkdir()
    victim = tcl.base / "victim"
    (tcl.state / "lock").symlink_to(victim)
    assert tcl.run(_TAKE, str(tcl.state)) == [["held"], ["busy"], ["held"]]
    assert not victim.exists()
    assert not (tcl.state / "lock").is_symlink()


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_file_is_no_lock(tcl: Tcl, kind: str) -> None:
    tcl.state.mkdir()
    make = os.mkfifo if kind == "fifo" else os.mkdir
    make(tcl.state / "lock")
    assert tcl.run(_TAKE, str(tcl.state)) == [["none"]] * 3


def _held(directory: Path) -> int:
    directory.mkdir(exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@pytest.mark.parametrize("loop", ["", "-command"])
def test_a_call_waits_for_half_of_its_time(tcl: Tcl, listener: Listener, loop: str) -> None:
    if shutil.which("flock") is None:
        pytest.skip("flock is missing")
    held = _held(tcl.state)
    options = f"-version 1 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url} -timeout 1300"
    call = f"telemetry::report {options}"
    if loop:
        call = f"telemetry::report {options} -command {{set ::result}}; vwait ::result; set ::result"
    (told,) = tcl.run(f"timed eval {{{call}}}")
    os.close(held)
    assert told[1:] == ["busy", "not sent: another sender is at work here"]
    assert 450 <= int(told[0]) < 1300
    assert listener.connections == 0
    assert "outcome = busy" in (tcl.state / "last-send").read_text()


def test_off_waits_for_a_sender_for_a_second_at_most(tcl: Tcl) -> None:
    held = _held(tcl.state)
    before = time.monotonic()
    done = tcl.cli("off", "--root", str(tcl.base / "home"))
    took = time.monotonic() - before
    os.close(held)
    assert done.returncode == 0
    assert "choice = off" in (tcl.state / "consent").read_text()
    assert 0.9 < took < 2.5
