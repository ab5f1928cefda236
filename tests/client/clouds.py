"""Runs a command as if it ran in a cloud: firmware strings and the metadata service on its real address.

    python -m tests.client.clouds --cloud NAME [--mode MODE] [--requests FILE] [--forward PORT ...] -- COMMAND...

The command runs in network and mount namespaces of its own. All addresses of metadata services are there, so
that a question to the wrong one shows; there is no other network but loopback. `/sys` holds nothing but the
cloud's firmware strings, and cloud-init has left nothing. `--requests` gets one JSON line for each request:
`to`, `method`, `path`, `headers` (lower-case names); a connection without a request has an empty `method`.
`--forward` makes a port of the caller's 127.0.0.1 reachable under the same number. The exit code is the
command's. Root and `ip` are needed; without them the exit code is 69 and the standard error says what is missing.

Modes, of the cloud's own service; any other address answers 404:

    ok           as the real one
    refuse       nothing listens                        unreachable  there is no such address
    drop         no answer to a connect                 hang         takes the request, never answers
    slow         each answer comes 1.5 s late           drip         a byte each 0.1 s, for ever
    redirect     302 to another path, which would tell "redirected.large"
    error        500, with a type as its body           empty        200 without a body
    garbage      200, with what is no type              long         200, with more than 16 KiB, most of it blanks
    endless      200, and a body without end            bad-token    a token of two lines
    no-token     no token is given, but the question is answered without one, as IMDSv1 is
    no-flavor    without the headers that the answer must carry (gcp)
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.client.cloud_behaviour import MODES, MetadataServer
from tests.client.cloud_services import ADDRESSES, CLOUDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOT_AVAILABLE = 69
_NEW_NAMESPACES = 0x40000000 | 0x00020000  # CLONE_NEWNET | CLONE_NEWNS


def what_is_missing() -> str:
    """What keeps `clouds` from running here; empty where nothing does."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "root on Linux is missing: namespaces cannot be made"
    return "" if shutil.which("ip") else "ip (iproute2) is missing"


class InCloud:
    """One thread in the cloud's namespaces, and its servers; `run` and `spawn` start programs there."""

    def __init__(self, cloud: str, mode: str, forward: Sequence[int] = (), requests: Path | None = None) -> None:
        self.cloud = CLOUDS[cloud]
        self.mode = mode
        self.forward = forward
        self.log = requests
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._work: list[Callable[[], None]] = []
        self._wake = threading.Semaphore(0)
        self._open: list[socket.socket | ThreadingHTTPServer] = []
        self.is_over = threading.Event()

    def __enter__(self) -> Self:
        if self.log is not None:
            self.log.write_text("")
        # Namespaces belong to a thread: the process around it stays where it is.
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._inside(self._enter)
        return self

    def __exit__(self, *_error: object) -> None:
        self.is_over.set()
        self._wake.release()
        self._thread.join()
        for each in self._open:
            if isinstance(each, ThreadingHTTPServer):
                each.shutdown()
                each.server_close()
            else:
                # A close alone does not wake an accept that waits in another thread.
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def spawn(self, command: Sequence[str], **settings: Any) -> subprocess.Popen[Any]:
        """Starts a program in the cloud."""
        return self._inside(lambda: subprocess.Popen(command, **settings))

    def run(self, command: Sequence[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        """Runs a program in the cloud, to its end."""
        settings = {"capture_output": True, "text": True, "timeout": 60, **settings}
        return self._inside(lambda: subprocess.run(command, check=False, **settings))

    def record(self, to: str, method: str = "", path: str = "", headers: dict[str, str] | None = None) -> None:
        line = {"to": to, "method": method, "path": path, "headers": headers or {}}
        with self._lock:
            self.requests.append(line)
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(json.dumps(line) + "\n")

    def _live(self) -> None:
        while True:
            self._wake.acquire()
            if not self._work:
                return
            self._work.pop(0)()

    def _inside(self, do: Callable[[], Any]) -> Any:
        done = threading.Event()
        results: list[Any] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                results.append(do())
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                errors.append(error)
            done.set()

        self._work.append(work)
        self._wake.release()
        done.wait()
        if errors:
            raise errors[0]
        return results[0]

    def _enter(self) -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NAMESPACES) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        _command("mount", "--make-rprivate", "/")
        _command("ip", "link", "set", "lo", "up")
        for address in ADDRESSES:
            if self.mode != "unreachable" or address != self.cloud.address:
                _command("ip", "addr", "add", f"{address}/32", "dev", "lo")
                self._serve(address)
        for port in self.forward:
            self._forward(port)
        # Last: iproute2 reads /sys.
        self._set_up_firmware()

    def _set_up_firmware(self) -> None:
        _command("mount", "-t", "tmpfs", "firmware", "/sys")
        directory = Path("/sys/class/dmi/id")
        directory.mkdir(parents=True)
        for name, value in self.cloud.firmware.items():
            (directory / name).write_text(f"{value}\n")
        if Path("/run/cloud-init").is_dir():
            _command("mount", "-t", "tmpfs", "none", "/run/cloud-init")

    def _serve(self, address: str) -> None:
        if address == self.cloud.address and self.mode == "refuse":
            return
        if address == self.cloud.address and self.mode == "drop":
            # With a queue that is full, Linux does not answer a SYN.
            listening = socket.create_server((address, 80), backlog=0)
            filling = socket.create_connection((address, 80))
            self._open += [listening, filling]
            return
        server = MetadataServer(self, address)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self._open.append(server)

    def _forward(self, port: int) -> None:
        listening = socket.create_server(("127.0.0.1", port))
        self._open.append(listening)
        # Started by the thread in the namespaces, so this one is there too: what connects outside is not.
        outside.submit(_accept, listening, port)


class _Outside:
    """Starts threads from the process's first thread, which is in no namespace of ours."""

    def __init__(self) -> None:
        self._namespace = os.open("/proc/self/ns/net", os.O_RDONLY) if sys.platform == "linux" else -1

    def submit(self, do: Callable[..., None], *arguments: object) -> None:
        def work() -> None:
            ctypes.CDLL(None).setns(self._namespace, 0x40000000)
            do(*arguments)

        threading.Thread(target=work, daemon=True).start()


outside = _Outside()


def _accept(listening: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            inner, _ = listening.accept()
            threading.Thread(target=_carry, args=(inner, port), daemon=True).start()


def _carry(inner: socket.socket, port: int) -> None:
    with inner, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as outer:
        back = threading.Thread(target=_pipe, args=(outer, inner), daemon=True)
        back.start()
        _pipe(inner, outer)
        back.join()


def _pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def _command(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main(arguments: Sequence[str] | None = None) -> int:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m tests.client.clouds",
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cloud", required=True, choices=sorted(CLOUDS))
    parser.add_argument("--mode", default="ok", choices=MODES)
    parser.add_argument("--requests", type=Path, metavar="FILE", help="where requests are recorded, as JSON lines")
    parser.add_argument("--forward", type=int, action="append", default=[], metavar="PORT")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    parsed = parser.parse_args(arguments)
    missing = what_is_missing()
    if missing:
        sys.stderr.write(f"{missing}\n")
        return NOT_AVAILABLE
    with InCloud(parsed.cloud, parsed.mode, parsed.forward, parsed.requests) as there:
        return there.spawn(parsed.command).wait()


if __name__ == "__main__":
    sys.exit(main())
