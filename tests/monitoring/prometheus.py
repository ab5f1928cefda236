"""A real Prometheus that scrapes running collectors by the shipped configuration, in more of a hurry."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.clickhouse_server import free_port
from tests.conftest import missing
from tests.monitoring.rules import ALERTS, PROMETHEUS, hurried

# A second of the test stands for half a minute: what is scraped and looked at every 15 seconds is every half second.
EVERY = "500ms"
CHANGES = {
    # A week ago, and 21 days ahead: what no test can wait for.
    "offset 1w": "offset 15s",
    "21 * 86400": "93 * 86400",
}
WAIT_SECONDS = 60


class Prometheus:
    """Asks one Prometheus.

    Args:
        address: where it answers.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        with urllib.request.urlopen(f"{self.address}/api/v1/{path}?{urlencode(parameters)}", timeout=20) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression, now."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def firing(self) -> dict[str, dict[str, str]]:
        """The alerts that fire, with their annotations."""
        found = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"]: one["annotations"] for one in found if one["state"] == "firing"}

    def wait_until_firing(self, *names: str) -> None:
        """Waits until all these fire, and checks what they say."""
        deadline = time.monotonic() + WAIT_SECONDS
        said: dict[str, dict[str, str]] = {}
        while late := set(names) - set(said):
            assert time.monotonic() < deadline, f"{sorted(late)} do not fire; these do: {sorted(self.firing())}"
            said |= {name: text for name, text in self.firing().items() if name in late}
            time.sleep(0.2)
        for name in names:
            assert "<error" not in " ".join(said[name].values()), said[name]
            assert "NaN" not in said[name]["description"]

    def wait_until_clear(self, *names: str) -> None:
        """Waits until none of these fires."""
        deadline = time.monotonic() + WAIT_SECONDS
        while still := set(names) & set(self.firing()):
            assert time.monotonic() < deadline, f"{sorted(still)} still fire"
            time.sleep(0.2)


@contextlib.contextmanager
def prometheus(directory: Path, targets: dict[str, str], alertmanager: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `targets` (part -> host:port) until the end, and tells `alertmanager`."""
    if shutil.which("prometheus") is None:
        missing("prometheus is needed: apt-get install prometheus")
    directory.mkdir()
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    configuration["global"] = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY}
    configuration["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    (directory / "prometheus.yml").write_text(json.dumps(configuration))
    (directory / "alerts.yml").write_text(hurried(ALERTS.read_text("utf-8"), CHANGES))
    (directory / "collectors.yml").write_text(
        json.dumps([{"targets": [target], "labels": {"part": part}} for part, target in targets.items()])
    )
    port = free_port()
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, f"{address}/-/ready", directory / "log")
        yield Prometheus(address)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
