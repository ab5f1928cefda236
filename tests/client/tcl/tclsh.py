"""Runs scripts and the command line of the Tcl client under the real tclsh."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import missing

PACKAGE = Path(__file__).parents[3] / "client_sdk/tcl"
COMMANDS = PACKAGE / "telemetry.tcl"
_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a script begins with. `tell` prints values as one JSON list of texts: they come back unchanged or not at all.
_HEAD = """
source -encoding utf-8 [lindex $argv 0]/package.tcl
set argv [lrange $argv 1 end]
fconfigure stdout -encoding utf-8
proc tell {args} {
    puts [telemetry::json::compact [list list [lmap each $args {list string $each}]]]
    flush stdout
}
# How many milliseconds a call took, its outcome and its message.
proc timed {args} {
    set before [clock milliseconds]
    set result [uplevel 1 $args]
    tell [expr {[clock milliseconds] - $before}] [dict get $result outcome] [dict get $result message]
}
"""


@functools.cache
def what_is_missing() -> str:
    """What keeps the Tcl client from running here; empty where nothing does."""
    if shutil.which("tclsh") is None:
        return "tclsh is missing"
    asked = subprocess.run(
        ["tclsh"],
        input="puts [package vsatisfies [info patchlevel] 8.6]\npackage require tls 1.7",
        text=True,
        capture_output=True,
        check=False,
    )
    if not asked.stdout.startswith("1"):
        return "Tcl 8.6 is missing"
    return "" if asked.returncode == 0 and not asked.stderr else "the Tcl package tls (tcl-tls) is missing"


def need_tcl() -> None:
    """Skips where Tcl or its TLS is missing, or fails where everything is to be run."""
    if what_is_missing():
        missing(what_is_missing())


@dataclass(frozen=True)
class Told:
    """What `timed` printed."""

    milliseconds: int
    outcome: str
    message: str


@dataclass(frozen=True)
class Tcl:
    """A place for scripts and state, and an environment that holds nothing unasked."""

    base: Path

    @property
    def state(self) -> Path:
        return self.base / "state"

    def environment(self, **variables: str) -> dict[str, str]:
        return {"PATH": _SEARCHED, "HOME": str(self.base / "home"), "LC_ALL": "C.UTF-8", **variables}

    def command(self, script: str, *arguments: str) -> list[str]:
        """A command line that runs `script`."""
        file = self.base / f"script-{len(list(self.base.glob('script-*')))}.tcl"
        file.write_text(_HEAD + script, encoding="utf-8")
        return ["tclsh", "-encoding", "utf-8", str(file), str(PACKAGE), *arguments]

    def run(
        self, script: str, *arguments: str, stdin: str = "", inside: list[str] | None = None, **variables: str
    ) -> list[list[str]]:
        """What each `tell` of the script told; the script must end well and complain about nothing."""
        done = subprocess.run(
            [*(inside or []), *self.command(script, *arguments)],
            env=self.environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return [json.loads(line) for line in done.stdout.splitlines()]

    def report(self, options: str, *arguments: str, **variables: str) -> Told:
        """One call of `telemetry::report`, with the state directory of this place."""
        (told,) = self.run(
            f"timed telemetry::report -version 25.7.0 -answer 1 -state-dir {{{self.state}}} {options}",
            *arguments,
            **variables,
        )
        return Told(int(told[0]), told[1], told[2])

    def cli(self, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """One command of the command line."""
        command, *rest = arguments
        return subprocess.run(
            ["tclsh", str(COMMANDS), command, "--state-dir", str(self.state), *rest],
            env=self.environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def tell(self, *arguments: str, stdin: str = "", **variables: str) -> dict[str, Any]:
        """The JSON that a command prints."""
        done = self.cli(*arguments, "--format", "json", stdin=stdin, **variables)
        assert (done.returncode, done.stderr) == (0, ""), done
        told = json.loads(done.stdout)
        assert isinstance(told, dict)
        return told

    def agree(self) -> None:
        """Somebody said yes, so long ago that nothing is from before."""
        self.state.mkdir(exist_ok=True)
        (self.state / "consent").write_text("choice = on\nchosen_at = 1\n")


def wait_until(happened: Any, seconds: float = 6) -> None:
    """Waits until it has happened, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def processes_with(word: bytes) -> list[str]:
    """Every place of /proc where `word` shows: arguments and environments of all processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                text = (process / name).read_bytes()
            except OSError:
                continue
            if word in text and int(process.name) != os.getpid():
                found.append(f"{name} of {process.name}")
    return found
