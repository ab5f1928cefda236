"""What a service manager hears, on a real socket, from a real server."""

from __future__ import annotations

import queue
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from collector import service_manager
from tests.conftest import start_server


def listen(listening: socket.socket, told: queue.Queue[str]) -> None:
    """Takes every datagram at once, as a service manager does."""
    while text := listening.recv(4096):
        told.put(text.decode())
        if text.startswith(b"STOPPING"):
            return


@pytest.mark.parametrize("abstract", [False, True], ids=["a path", "an abstract name"])
def test_readiness_reload_watchdog_and_stop_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}" if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        told: queue.Queue[str] = queue.Queue()
        threading.Thread(target=listen, args=(listening, told), daemon=True).start()

        def wait_for(line: str) -> str:
            while not (text := told.get(timeout=60)).startswith(line):
                pass
            return text

        server = start_server(tmp_path / "data")
        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        server.process.send_signal(signal.SIGHUP)
        reloading = wait_for("RELOADING=1")
        assert int(reloading.split("MONOTONIC_USEC=")[1]) > 0
        wait_for("READY=1")
        wait_for("WATCHDOG=1")
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


def test_service_manager_that_does_not_listen_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue is full: what is said of life is dropped at once, of state after a moment."""
    name = str(tmp_path / "deaf")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        began = time.monotonic()
        for _ in range(1000):
            service_manager.notify_alive()
        service_manager.notify("READY=1")
        assert time.monotonic() - began < 20
