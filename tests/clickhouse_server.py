"""A real ClickHouse server, as a process of its own that tests start, hang, kill and start again.

The server is the one inside a library that npm distributes; its version and checksum are pinned here.

Run as a program it becomes the server: `python -m tests.clickhouse_server LIBRARY ARGUMENT...`.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.npm_package import NotAvailableError, NpmFile

PACKAGE = "@chdb/lib-linux-x64-gnu"
VERSION = "26.7.3-stable.1"
SHA512 = (
    "5cff7b98caa7739b59a4a432c11f0dedc2d3b073624e61ebdf4a42e66ce8de35"
    "a6ba48ca9f62016bad1cd81fe059435cb858ce3235a8a2b408082a81563e70a7"
)
PASSWORD = "a-password-of-tests"  # noqa: S105 - of a server that lives as long as a test
USERS = f"""<clickhouse>
<profiles><default/><loader><readonly>0</readonly></loader></profiles><quotas><default/></quotas>
<users>
<default><password></password><profile>default</profile><quota>default</quota>
<networks><ip>127.0.0.1</ip></networks></default>
<loader><password>{PASSWORD}</password><profile>loader</profile><quota>default</quota>
<networks><ip>127.0.0.1</ip></networks></loader>
</users></clickhouse>"""
# The library serves as long as its command runs, so that is one that never ends.
FOR_EVER = (
    "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(1) FROM system.numbers FORMAT Null "
    "SETTINGS function_sleep_max_microseconds_per_block=0, max_block_size=1"
)


def library() -> Path:
    """The server's library, fetched if it is not in the cache.

    Raises:
        NotAvailableError: it cannot be had on this machine.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotAvailableError("the ClickHouse server of the tests is for Linux on x86_64")
    return NpmFile(PACKAGE, VERSION, SHA512, "libchdb.so", f"clickhouse-{VERSION}").get()


@dataclass
class ClickHouseServer:
    """One server on a directory and a port that stay the same over restarts.

    Args:
        directory: for configuration, log and, if `data` is not given, its data.
        data: where the server keeps its data.
        tcp_port: where other servers of its cluster reach it; 0 if there are none.
        more: what its configuration holds beside the users.
        users: its users' file.
        environment: what its process has in its environment beside this one's.
    """

    directory: Path
    data: Path | None = None
    port: int = 0
    tcp_port: int = 0
    more: str = ""
    users: str = USERS
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "users.xml").write_text(self.users)
        users = f"<users_config>{self.directory / 'users.xml'}</users_config>"
        config = f"<clickhouse>{users}{self.more}</clickhouse>"
        (self.directory / "config.xml").write_text(config)
        self.password_file = self.directory / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o600)

    def url(self, port: int | None = None) -> str:
        """The setting `store_url` for this server, or for something on `port` before it."""
        return f"clickhouse://loader@127.0.0.1:{port or self.port}"

    def options(self, port: int | None = None) -> list[str]:
        """Options with which `collector serve` uses this server."""
        return ["--store-url", self.url(port), "--store-password-file", os.fspath(self.password_file)]

    def start(self) -> None:
        """Starts it and waits until it answers."""
        arguments = [
            f"--config-file={self.directory / 'config.xml'}",
            f"--path={self.data or self.directory / 'data'}",
            "--listen_host=127.0.0.1",
            f"--http_port={self.port}",
            f"--query={FOR_EVER}",
        ]
        if self.tcp_port:
            arguments[-1:] = [f"--tcp_port={self.tcp_port}", f"--query=SYSTEM START LISTEN TCP; {FOR_EVER}"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.clickhouse_server", library(), *arguments],
                cwd=Path(__file__).parent.parent,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, "the ClickHouse server does not answer"
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def hang(self) -> None:
        """It keeps its connections and says nothing more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; `start` starts it again on what is left."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, query: str) -> list[list[str]]:
        """The rows of a query, as text; asked by a user of the tests' own."""
        done, text = self.answer(query)
        assert done, text
        return [line.split("\t") for line in text.splitlines()]

    def answer(self, query: str, user: str = "default", password: str = "", parameters: str = "") -> tuple[bool, str]:
        """Whether a user's statement was done, and what the server answered to it."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/?default_format=TabSeparated{parameters}",
            query.encode(),
            headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return True, response.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return False, error.read().decode()
        except http.client.IncompleteRead as cut:  # it failed while it was answering
            return False, cut.partial.decode(errors="replace")

    def empty(self) -> None:
        """Drops what a test left, once nothing uses it: the library aborts where an insert still unwinds.

        It is a server by a trick, and may have aborted with the test before: then it is started again.
        """
        if not self.answers():
            self.kill()
            self.start()
        while self.ask("SELECT count() FROM system.processes") != [["2"]]:  # this one, and the one that serves
            time.sleep(0.02)
        for database in ("private", "public"):
            self.ask(f"DROP DATABASE IF EXISTS {database} SYNC")


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def become_server(library_path: str, arguments: list[str]) -> None:
    """Runs the server in this process, for as long as the process that started it lives."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    run = ctypes.CDLL(library_path).chdb_query_cmdline
    run.restype = ctypes.c_void_p
    given = [os.fsencode(argument) for argument in ("clickhouse", *arguments)]
    run(len(given), (ctypes.c_char_p * len(given))(*given))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    become_server(sys.argv[1], sys.argv[2:])
