"""Makes a running `serve` take up a changed configuration, and sees that it did."""

from __future__ import annotations

import os
import signal
import time
from enum import Enum
from typing import TYPE_CHECKING

import click

from collector.cli.main import fail
from collector.configuration import fingerprint, in_use, read_configuration
from collector.layout import Layout, is_held
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings

TIME_LIMIT_SECONDS = 10
_LOOK_EVERY_SECONDS = 0.05


class TakenUp(Enum):
    """What became of the change; the value says it to the operator."""

    YES = "the running collector has taken it up"
    NOT_SERVING = "no collector runs on this directory: it takes effect when `collector serve` starts"
    NOT_REACHED = (
        "it is written but not taken up yet: the process that uses this directory cannot be told from here; "
        "send SIGHUP to `collector serve`, or restart it"
    )
    TOO_LATE = (
        f"it is written but not taken up after {TIME_LIMIT_SECONDS} seconds; the log of `collector serve` "
        "says why (not_reloaded), and `collector check` what is wrong with the configuration"
    )


def take_up(paths: Layout, wanted: str) -> TakenUp:
    """Signals the supervisor and waits until all its processes work with the configuration of fingerprint `wanted`."""
    if not is_held(paths):
        return TakenUp.NOT_SERVING
    if not _signal_supervisor(paths):
        return TakenUp.NOT_REACHED
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    while time.monotonic() < deadline:
        if in_use(paths) == wanted:
            return TakenUp.YES
        time.sleep(_LOOK_EVERY_SECONDS)
    return TakenUp.TOO_LATE


def say_taken_up(settings: Settings, *, must_run: bool = False) -> None:
    """Has a running `serve` read its configuration again, says what became of it, and ends the program if not taken.

    Args:
        settings: say which directory, and the files.
        must_run: whether it is a failure that none runs.
    """
    try:
        configuration = read_configuration(settings)
    except ConfigurationError as error:
        fail(*error.problems, "what is written is taken up once this is mended: collector reload")
    outcome = take_up(Layout(settings.data.absolute()), fingerprint(configuration))
    good = outcome is TakenUp.YES or (outcome is TakenUp.NOT_SERVING and not must_run)
    click.echo(outcome.value, err=not good)
    if not good:
        raise SystemExit(1)


def _signal_supervisor(paths: Layout) -> bool:
    """Sends SIGHUP to the process that took the lock; to no other, and to none that it would end.

    The process is pinned first (pidfd), so that what is checked is what is signalled.
    """
    try:
        pid = int(paths.lock.read_text(encoding="ascii"))
        pinned = os.pidfd_open(pid)
    except (OSError, ValueError, AttributeError):
        return False  # gone, not readable, or not Linux
    try:
        if not (_holds(pid, paths) and _catches_hangup(pid)):
            return False
        signal.pidfd_send_signal(pinned, signal.SIGHUP)
    except OSError:
        return False
    finally:
        os.close(pinned)
    return True


def _holds(pid: int, paths: Layout) -> bool:
    """Whether the process took the lock: the system's list says so also of one with rights that this one has not."""
    lock = paths.lock.stat().st_ino
    with open("/proc/locks", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        held = [line.split() for line in file]
    # Number, FLOCK, ADVISORY, WRITE, process, device and inode, ...; who waits for it has an arrow after the number.
    return any(
        fields[1] == "FLOCK" and int(fields[4]) == pid and int(fields[5].rsplit(":", 1)[1]) == lock for fields in held
    )


def _catches_hangup(pid: int) -> bool:
    """Whether SIGHUP has a handler: a command that holds the lock has none and would end."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        caught = next((line.split()[1] for line in file if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGHUP - 1) & 1)
