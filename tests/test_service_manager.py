"""What a service manager hears, on a real socket, from a real server."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import start_server


@pytest.mark.parametrize("abstract", [False, True], ids=["a path", "an abstract name"])
def test_readiness_reload_watchdog_and_stop_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}" if abstract else name)
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        heard: list[str] = []

        def wait_for(line: str, within: Callable[[], list[str]] = lambda: heard) -> str:
            while True:
                found = next((text for text in within() if text.startswith(line)), None)
                if found:
                    return found
                heard.append(listening.recv(4096).decode())

        server = start_server(tmp_path / "data")
        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        heard.clear()
        server.process.send_signal(signal.SIGHUP)
        reloading = wait_for("RELOADING=1")
        assert int(reloading.split("MONOTONIC_USEC=")[1]) > 0
        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        heard.clear()
        assert server.stop() == 0
        wait_for("STOPPING=1")
        assert server.process.stdout is not None
        server.process.stdout.close()


def test_nobody_listening_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    server = start_server(tmp_path / "data")
    assert server.stop() == 0
    assert server.process.stdout is not None
    server.process.stdout.close()
