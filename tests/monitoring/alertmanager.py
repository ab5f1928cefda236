"""A real Alertmanager with the shipped routes, and somebody who listens to what it says."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.clickhouse_server import free_port
from tests.conftest import missing
from tests.monitoring.rules import PROMETHEUS

PROGRAMS = ("alertmanager", "prometheus-alertmanager")


class Listener:
    """Whom `page` and `ticket` reach: keeps what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        said = self.said

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for one in content["alerts"]:
                    said.append((self.path.strip("/"), one["labels"]["alertname"], one["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, *expected: tuple[str, str, str]) -> None:
        """Waits until all these (receiver, alert, status) were said."""
        deadline = time.monotonic() + 40
        while late := set(expected) - set(self.said):
            assert time.monotonic() < deadline, f"not said: {late}; said: {self.said}"
            time.sleep(0.2)


@contextlib.contextmanager
def alertmanager(directory: Path) -> Iterator[tuple[str, Listener]]:
    """An Alertmanager with the shipped configuration, and its address: it waits less and tells the listener."""
    program = next(filter(shutil.which, PROGRAMS), None)
    if program is None:
        missing("Alertmanager is needed: apt-get install prometheus-alertmanager")
    directory.mkdir()
    listener = Listener()
    text = (PROMETHEUS / "alertmanager.yml").read_text("utf-8")
    text = text.replace("127.0.0.1:9099", f"127.0.0.1:{listener.port}")
    text = re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", text)
    (directory / "alertmanager.yml").write_text(text)
    port = free_port()
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={directory / 'alertmanager.yml'}",
                f"--storage.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"127.0.0.1:{port}", listener
    finally:
        process.terminate()
        process.wait(timeout=20)
        listener.server.shutdown()
        listener.server.server_close()
