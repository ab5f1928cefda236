"""What a service manager such as systemd wants to know: ready, reloading, stopping, alive.

Speaks the notification protocol: datagrams of `NAME=value` lines to the Unix socket in NOTIFY_SOCKET.
Without that variable nobody listens, and nothing is said.
"""

from __future__ import annotations

import os
import socket
import time

_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG = "WATCHDOG_USEC"
# A service manager that does not listen for so long must not hold up whoever tells it something.
_PATIENCE_SECONDS = 1.0


def notify(*lines: str, patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Sends lines, e.g. `READY=1`; that nobody takes them is no reason to fail or to wait for long."""
    path = os.environ.get(_SOCKET)
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.settimeout(patience_seconds)
            sending.sendto("\n".join(lines).encode(), address)
    except OSError:
        return


def notify_alive() -> None:
    """Says that this process lives; the next time is soon, so this one may be missed."""
    notify("WATCHDOG=1", patience_seconds=0)


def notify_reloading() -> None:
    """Says that the configuration is being read again; `READY=1` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often to say `WATCHDOG=1`: half of what the service manager waits for; None if it does not wait."""
    microseconds = os.environ.get(_WATCHDOG, "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000 or None
