"""Whether a report may leave is asked once more right before it does, with and without an event loop."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.tcl.tclsh import Tcl

_CALLS = {
    "waiting": "tell [dict get [telemetry::report {options}] message]",
    "called back": "telemetry::report {options} -command {{set ::over}}; vwait ::over; tell [dict get $::over message]",
}
ON = "choice = on\nchosen_at = 1\n"
OFF = "choice = off\nchosen_at = 2\n"


def _waiting_for_the_lock(tcl: Tcl, call: str, meanwhile: Callable[[], object]) -> str:
    """What a call says that waits for another sender while somebody says no."""
    tcl.state.mkdir(exist_ok=True)
    holder = os.open(tcl.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(holder, fcntl.LOCK_EX)
    running = subprocess.Popen(tcl.command(call), env=tcl.environment(), stdout=subprocess.PIPE, text=True)
    try:
        _until_it_asked(running.pid, tcl.state / "lock")
        meanwhile()
    finally:
        os.close(holder)
    out, _ = running.communicate(timeout=20)
    return out


def _until_it_asked(process: int, lock: Path) -> None:
    deadline = time.monotonic() + 5
    opened = lock.stat()
    while time.monotonic() < deadline:
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            try:
                found = descriptor.stat()
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino):
                return
        time.sleep(0.01)
    raise AssertionError("it did not come to the lock")


@pytest.mark.parametrize("how", _CALLS)
def test_an_off_while_a_call_waits(tcl: Tcl, listener: Listener, how: str) -> None:
    options = f"-version 1 -answer 1 -state-dir {tcl.state} -url {listener.url}"
    consent = tcl.state / "consent"
    said = _waiting_for_the_lock(tcl, _CALLS[how].format(options=options), lambda: consent.write_text(OFF))
    assert said == f'["nothing was sent: {consent} says off"]\n'
    assert listener.connections == 0
    assert not list((tcl.state / "outbox").glob("*"))


def test_an_administrator_says_off_while_a_call_waits(tcl: Tcl, listener: Listener) -> None:
    image = tcl.base / "settings"
    image.write_text("default = off\n")
    options = f"-version 1 -answer 1 -state-dir {tcl.state} -url {listener.url} -config {image}"
    call = _CALLS["waiting"].format(options=options)
    said = _waiting_for_the_lock(tcl, call, lambda: image.write_text("telemetry = off\n"))
    assert said == f'["nothing was sent: {image} line 1 says off"]\n'
    assert listener.connections == 0


def test_it_is_sealed_while_a_call_waits(tcl: Tcl, listener: Listener) -> None:
    (boot,) = tcl.run("tell [telemetry::system::boot [telemetry::machine::here]]")
    options = f"-version 1 -answer 1 -state-dir {tcl.state} -url {listener.url}"
    call = _CALLS["waiting"].format(options=options)
    said = _waiting_for_the_lock(tcl, call, lambda: (tcl.state / "sealed").write_text(f"boot = {boot[0]}\n"))
    assert said == '["nothing was sent: this image is sealed; nothing is sent before the next boot"]\n'
    assert listener.connections == 0


class Refusing(Listener):
    """A collector at whose second request somebody says no."""

    def __init__(self, consent: Path) -> None:
        super().__init__()
        self.consent = consent

    def _answer(self, *connection: object) -> None:
        if self.connections >= 2:
            self.consent.write_text(OFF)
        super()._answer(*connection)  # type: ignore[arg-type]


def test_an_off_between_two_posts(tcl: Tcl) -> None:
    with Refusing(tcl.state / "consent") as listener:
        tcl.agree()
        _leave_waiting(tcl, listener.url, 3)
        call = f"telemetry::report -version 9 -state-dir {tcl.state} -url {listener.url}"
        told = tcl.run(f"set told [{call}]; tell [dict get $told outcome] [dict get $told also_sent]")
        connections = listener.connections
    assert told == [["accepted", "1"]]
    assert connections == 2
    assert not list((tcl.state / "outbox").glob("*.json"))


def test_what_was_deleted_meanwhile_does_not_leave(tcl: Tcl, listener: Listener) -> None:
    """An off and an on between two posts: what waited is gone, also from the memory of the one who sends."""
    tcl.agree()
    _leave_waiting(tcl, listener.url, 2)
    told = tcl.run(
        f"""
        proc forget {{args}} {{
            if {{[incr ::posts] == 2}} {{telemetry::outbox::clear {tcl.state}/outbox}}
        }}
        trace add execution telemetry::transport::post leave forget
        tell [dict get [telemetry::report -version 9 -state-dir {tcl.state} -url {listener.url}] also_sent]
        """
    )
    assert told == [["1"]]
    assert listener.connections == 2


def _leave_waiting(tcl: Tcl, url: str, reports: int) -> None:
    tcl.run(
        f"""
        set client [telemetry::client::open [dict create state_dir {tcl.state}]]
        for {{set number 1}} {{$number <= {reports}}} {{incr number}} {{
            set given [dict create product installbuilder product_version $number]
            set report [telemetry::client::compose $client $given]
            tell [telemetry::outbox::put {tcl.state}/outbox $report {url} [expr {{[clock seconds] - 10 + $number}}]]
        }}
        """
    )
    assert len(list((tcl.state / "outbox").iterdir())) == reports


def test_a_notice_is_not_given_twice_where_it_cannot_be_remembered(tcl: Tcl, listener: Listener) -> None:
    """The state directory is a file: nothing is remembered."""
    tcl.state.write_text("")
    done = tcl.cli("send", "--product=installbuilder", "--product-version=1", "--url", listener.url, TELEMETRY="on")
    assert done.returncode == 0
    assert done.stdout == "accepted: the report is on the collector's disk\n"
    assert done.stderr.count("telemetry-client: this image reports") == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_notice_that_cannot_be_remembered_reaches_the_background(tcl: Tcl, listener: Listener) -> None:
    tcl.state.write_text("")
    send = ("send", "--product=installbuilder", "--product-version=1", "--background", "--url", listener.url)
    assert tcl.cli(*send, TELEMETRY="on").returncode == 0
    deadline = time.monotonic() + 5
    while not listener.requests:
        assert time.monotonic() < deadline
        time.sleep(0.02)
