"""What each failure of the network does to a caller: how long it takes, and what it is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.listener import Listener
from tests.conftest import missing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.tcl.tclsh import Tcl

TIMEOUT_MS = 1000
# What a busy machine may add to it.
SLACK_MS = 700
WAITS = "; it waits in the outbox"
NO_URL = "it does not begin with https:// and a host name"
NO_ANSWER = f"not sent (no answer in time){WAITS}"


class Stubborn(Listener):
    """Does with each connection what it is told to, until nobody is there any more."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self.behave = behave

    def _answer(self, connection: socket.socket) -> None:
        threading.Thread(target=self._keep, args=(connection.dup(),), daemon=True).start()

    def _keep(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            self.behave(connection)


def hang(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def drip(connection: socket.socket) -> None:
    connection.recv(4096)
    for byte in b"HTTP/1.1 202 Accepted\r\n" * 9:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def drip_body(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b'HTTP/1.1 422 No\r\n\r\n{"outcome":"')
    for _ in range(60):
        connection.sendall(b"a")
        time.sleep(0.1)


def never_end(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 503 No\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def endless_header(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 202 Accepted\r\n")
    while True:
        connection.sendall(b"X: " + b"x" * 65536 + b"\r\n")


def redirect(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


def reset(connection: socket.socket) -> None:
    connection.recv(4096)


FAILURES = {
    "hangs": (hang, NO_ANSWER, True),
    "drips its answer": (drip, NO_ANSWER, True),
    "drips its explanation": (drip_body, "refused and dropped: HTTP 422", True),
    "never ends": (never_end, f"not sent (HTTP 503){WAITS}", False),
    "a header without end": (endless_header, f"not sent (connection failed (no answer but an end)){WAITS}", False),
    "redirects": (redirect, f"not sent (HTTP 307){WAITS}", False),
    "ends without an answer": (reset, f"not sent (connection failed (no answer but an end)){WAITS}", False),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failure(tcl: Tcl, failure: str) -> None:
    behave, message, takes_all = FAILURES[failure]
    with Stubborn(behave) as listener:
        told = tcl.report(f"-url {listener.url} -timeout {TIMEOUT_MS}")
    assert told.message == message
    assert told.milliseconds < (TIMEOUT_MS if takes_all else 300) + SLACK_MS
    assert listener.connections == 1


def test_nobody_listens(tcl: Tcl) -> None:
    told = tcl.report("-url http://127.0.0.1:9")
    assert told.message == f"not sent (connection failed (connection refused)){WAITS}"
    assert told.milliseconds < SLACK_MS


def test_tls_that_hangs(tcl: Tcl) -> None:
    with Stubborn(hang) as listener:
        told = tcl.report(f"-url https://127.0.0.1:{listener.port} -timeout {TIMEOUT_MS}")
    assert told.message == NO_ANSWER
    assert told.milliseconds < TIMEOUT_MS + SLACK_MS


def test_proxy_that_hangs_or_refuses(tcl: Tcl) -> None:
    with Stubborn(hang) as listener:
        told = tcl.report(f"-url https://example.com -timeout {TIMEOUT_MS}", https_proxy=f"127.0.0.1:{listener.port}")
    assert told.message == NO_ANSWER
    assert told.milliseconds < TIMEOUT_MS + SLACK_MS
    (tcl.state / "not-before").unlink()
    with Listener() as refusing:
        refusing.script = [b"HTTP/1.1 403 No\r\n\r\n"]
        told = tcl.report("-url https://example.com", https_proxy=f"127.0.0.1:{refusing.port}")
    assert told.message == f"not sent (the proxy answered HTTP 403){WAITS}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-timeout 0", "nothing was sent: -timeout must be a number of milliseconds above 0"),
        ("-timeout soon", "nothing was sent: -timeout must be a number of milliseconds above 0"),
        ("-answer perhaps", "nothing was sent: -answer must be 0 or 1, or be left out"),
        ("-url", "nothing was sent: each option needs a value"),
        ("-config a\\0b", "nothing was sent: -config has a character in it that no path can have"),
        (
            "-url ftp://example.com",
            f"the collector's address (given by the caller) is not usable: {NO_URL}",
        ),
        ("-version {}", "unknown or not in its format: product_version; see `telemetry-client show`"),
    ],
)
def test_wrong_use_is_told_and_raises_nothing(tcl: Tcl, options: str, message: str) -> None:
    url = "" if "-url" in options else "-url http://127.0.0.1:9 "
    told = tcl.report(url + options)
    assert (told.outcome, told.message) == ("unusable", message)


def test_state_that_cannot_be_written_stops_no_send(tcl: Tcl, listener: Listener) -> None:
    (tcl.base / "file").write_text("")
    told = tcl.report(f"-url {listener.url} -state-dir {{{tcl.base}/file/state}}")
    assert told.outcome == "accepted"


# A network of its own, whose resolver takes each question and never answers.
_SILENT = (
    "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1', 53)); print(1, flush=True)"
)
_BLACK_HOLE = """
ip link set lo up
echo nameserver 127.0.0.1 >"$1"
mount --bind "$1" /etc/resolv.conf
# Of the run before.
rm -f "$1.ready"
"$2" -c "$3; time.sleep(60)" >"$1.ready" &
silent=$!
while ! [ -s "$1.ready" ]; do sleep 0.02; done
shift 3
"$@"
code=$?
kill $silent
exit $code
"""


@pytest.fixture
def black_hole(tmp_path: Path) -> list[str]:
    """What runs a command where no name can be resolved, and nobody says so."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("ip") and shutil.which("getent")):
        missing("a resolver that hangs needs root, unshare, ip and getent")
    inside = ["unshare", "--net", "--mount", "sh", "-c", _BLACK_HOLE, "sh", str(tmp_path / "resolv.conf")]
    inside += [sys.executable, _SILENT]
    probe = subprocess.run(
        [*inside, "timeout", "1", "getent", "ahosts", "example.com"], check=False, capture_output=True, text=True
    )
    if probe.returncode != 124:
        missing(f"the resolver does not hang here: {probe.returncode} {probe.stderr}")
    return inside


@pytest.mark.parametrize("way", ["collector", "proxy"])
def test_resolver_that_hangs(tcl: Tcl, black_hole: list[str], way: str) -> None:
    proxy = {"https_proxy": "proxy.example.com"} if way == "proxy" else {}
    script = (
        f"timed telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} "
        f"-url https://telemetry.example.com -timeout {TIMEOUT_MS}"
    )
    ((milliseconds, outcome, message),) = tcl.run(script, inside=black_hole, **proxy)
    assert (outcome, message) == ("waiting", NO_ANSWER)
    assert int(milliseconds) < TIMEOUT_MS + SLACK_MS


def test_resolver_that_hangs_stops_no_event(tcl: Tcl, black_hole: list[str]) -> None:
    (told,) = tcl.run(
        f"""
        proc beat {{}} {{
            set now [clock milliseconds]
            set ::longest [expr {{max($::longest, $now - $::last)}}]
            set ::last $now
            after 10 beat
        }}
        set longest 0
        set last [clock milliseconds]
        beat
        proc done {{result}} {{set ::result $result}}
        telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url https://telemetry.example.com \
            -timeout {TIMEOUT_MS} -command done
        vwait result
        tell [dict get $result message] $longest
        """,
        inside=black_hole,
    )
    assert told[0] == NO_ANSWER
    assert int(told[1]) < 300
