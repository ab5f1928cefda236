"""A licence key goes to the collector and nowhere else."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.answers import Answer
from tests.client.conformance.listener import Listener
from tests.client.tcl.tclsh import COMMANDS, Tcl, processes_with, wait_until

if TYPE_CHECKING:
    from pathlib import Path

# Of this process: others that run beside it have keys in their processes too.
KEY = f"CANARY-7777-8888-9999-{os.getpid()}-0"
# Of the command line, which the package alone does not load.
_KEY_INPUT = "source $telemetry::directory/lib/key_input.tcl; "
REPORT = ("--product", "installbuilder", "--product-version", "25.7.0")


class Watcher(Listener):
    """A collector that looks around, while it is asked, for processes that show the key."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def _answer(self, *connection: object) -> None:
        self.shown += processes_with(KEY.encode())
        super()._answer(*connection)  # type: ignore[arg-type]


def _is_in_no_file(directory: Path) -> None:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
        assert KEY not in path.name


@pytest.mark.parametrize(("status", "outcome"), [(202, "accepted"), (503, "lost"), (422, "refused"), (0, "lost")])
def test_key_of_a_call(tcl: Tcl, status: int, outcome: str) -> None:
    with Watcher() as listener:
        listener.script = [Answer("", status).data("") if status else None]
        (told,) = tcl.run(
            f"""
            set result [telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url} \
                -license [gets stdin]]
            tell [dict get $result outcome] [dict get $result message]
            """,
            stdin=KEY,
        )
    assert told[0] == outcome
    assert KEY not in told[1]
    assert listener.requests[0].fields["license_key"] == KEY
    assert listener.shown == []
    _is_in_no_file(tcl.base)
    assert '\\"license_key\\":\\"********\\"' in (tcl.state / "sent").read_text()


def test_key_is_in_no_variable_of_the_package_afterwards(tcl: Tcl, listener: Listener) -> None:
    (told,) = tcl.run(
        f"""
        telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url} -license [gets stdin]
        set found {{}}
        foreach namespace [concat :: ::telemetry [namespace children ::telemetry]] {{
            foreach name [info vars ${{namespace}}::*] {{
                upvar #0 $name value
                if {{[array exists value] ? [string match *CANARY* [array get value]]
                        : [info exists value] && [string match *CANARY* $value]}} {{
                    lappend found $name
                }}
            }}
        }}
        tell {{*}}$found end
        """,
        stdin=KEY,
    )
    assert told == ["end"]
    assert listener.requests[0].fields["license_key"] == KEY


def test_key_of_a_background_send(tcl: Tcl) -> None:
    tcl.agree()
    with Watcher() as listener:
        told = tcl.tell("send", *REPORT, "--license-key-stdin", "--background", "--url", listener.url, stdin=KEY)
        assert told["outcome"] == "in the background"
        wait_until(lambda: len(listener.requests) == 1)
        wait_until((tcl.state / "sent").exists)
    assert listener.requests[0].fields["license_key"] == KEY
    assert listener.shown == []
    _is_in_no_file(tcl.base)


def test_key_in_a_variable_reaches_no_child(tcl: Tcl) -> None:
    """Whatever the client starts while it works is asked for its environment."""
    tcl.agree()
    spies = tcl.base / "spies"
    spies.mkdir()
    for name in ("sync", "flock", "setsid"):
        spy = spies / name
        spy.write_text(f'#!/bin/sh\nenv >>"{tcl.base}/seen"\nPATH=/usr/bin:/bin\nexec {name} "$@"\n')
        spy.chmod(0o755)
    environment = {"TELEMETRY_LICENSE_KEY": KEY, "PATH": f"{spies}:/usr/bin:/bin"}
    with Listener() as listener:
        told = tcl.tell("send", *REPORT, "--url", listener.url, **environment)
        assert told["outcome"] == "accepted"
        tcl.tell("send", *REPORT, "--url", listener.url, "--background", **environment)
        wait_until(lambda: len(listener.requests) == 2)
    assert {request.fields["license_key"] for request in listener.requests} == {KEY}
    seen = (tcl.base / "seen").read_text()
    assert seen.count("PATH=") >= 3
    assert KEY not in seen


def test_key_is_not_repeated_in_an_error(tcl: Tcl) -> None:
    (told,) = tcl.run(
        f"""
        proc telemetry::transport::Read {{channel deadline}} {{
            error "broken {KEY}" {{}} [list {KEY} {KEY}]
        }}
        rename telemetry::state::is_stopped {{}}
        proc telemetry::state::is_stopped {{directory}} {{error {KEY} {{}} [list SOME {KEY}]}}
        tell [telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url http://127.0.0.1:9 \
            -license {KEY}]
        """
    )
    assert told == ["outcome failed message {internal error (SOME)} also_sent 0"]


def test_what_is_left_behind_has_none_of_the_callers_files(tcl: Tcl) -> None:
    tcl.agree()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        reading, writing = os.pipe()
        command = ["tclsh", str(COMMANDS), "send", "--state-dir", str(tcl.state), *REPORT, "--background"]
        subprocess.run(
            [*command, "--timeout", "3", "--url", url],
            env=tcl.environment(),
            pass_fds=[writing],
            check=True,
            capture_output=True,
        )
        os.close(writing)
        connection, _ = silent.accept()
        started = time.monotonic()
        # A process that still held the other end would be waited for here.
        assert os.read(reading, 1) == b""
        assert time.monotonic() - started < 1
        os.close(reading)
        connection.close()


def _send_with_open_input(tcl: Tcl, *arguments: str, written: bytes = b"") -> tuple[float, subprocess.Popen[str]]:
    """A command whose standard input stays open; how long it took, and what it left."""
    reading, writing = os.pipe()
    os.write(writing, written)
    command = ["tclsh", str(COMMANDS), *arguments, "--state-dir", str(tcl.state), *REPORT, "--license-key-stdin"]
    before = time.monotonic()
    try:
        ran = subprocess.Popen(
            command, env=tcl.environment(), stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        ran.wait(timeout=20)
    finally:
        os.close(reading)
        os.close(writing)
    return time.monotonic() - before, ran


def test_opted_out_nobody_is_kept_waiting_for_a_key(tcl: Tcl) -> None:
    took, ran = _send_with_open_input(tcl, "send", "--url=http://127.0.0.1:9")
    assert (ran.returncode, ran.communicate()[0]) == (0, "nothing was sent: nobody has switched it on\n")
    assert took < 2


def test_a_key_that_does_not_come_is_none(tcl: Tcl) -> None:
    """Neither is half of one: it may be longer."""
    tcl.agree()
    with Listener() as listener:
        took, ran = _send_with_open_input(tcl, "send", f"--url={listener.url}", "--timeout=0.7", written=b"HALF-OF-A")
        assert all("license_key" not in request.fields for request in listener.requests)
    assert ran.returncode == 0
    assert 0.6 < took < 2.5
    assert "HALF-OF-A" not in "".join(ran.communicate())


def test_a_line_that_has_come_is_a_key_though_the_input_stays_open(tcl: Tcl) -> None:
    took, ran = _send_with_open_input(tcl, "show", "--reveal-key", written=KEY.encode() + b"\nmore")
    assert KEY in ran.communicate()[0]
    assert took < 2


@pytest.mark.parametrize(("length", "is_key"), [(4096, True), (4097, False), (200_000, False)])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_key_has_4_kib_at_most(tcl: Tcl, length: int, is_key: bool, end: str) -> None:
    (told,) = tcl.run(
        _KEY_INPUT + "tell [string length [telemetry::key_input::read [telemetry::waiting::deadline 2000]]]",
        stdin="k" * length + end,
    )
    assert told == [str(length if is_key else 0)]


def test_the_input_is_left_as_it_was(tcl: Tcl) -> None:
    """A terminal's shell has the same open."""
    told = tcl.run(
        _KEY_INPUT + "telemetry::key_input::read [telemetry::waiting::deadline 50]; tell [fconfigure stdin -blocking]",
    )
    assert told == [["1"]]
