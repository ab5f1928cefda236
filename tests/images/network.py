"""A network of its own: loopback alone, and on it a stand-in collector that a test can make behave in any way."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme

from tests.conftest import PROJECT
from tests.images.debian_tree import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://telemetry.test"


@dataclass
class Authority:
    """The certificates of a run. `good` is for the collector's name and signed by `root`, which the trees trust."""

    root: str
    good: Path
    other_name: Path
    unknown: Path


def make_authority(directory: Path) -> Authority:
    directory.mkdir(parents=True, exist_ok=True)
    authority, stranger = trustme.CA(), trustme.CA()

    def issue(ca: trustme.CA, name: str, file: str) -> Path:
        ca.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(directory / file)
        return directory / file

    return Authority(
        authority.cert_pem.bytes().decode(),
        issue(authority, "telemetry.test", "good.pem"),
        issue(authority, "elsewhere.test", "other_name.pem"),
        issue(stranger, "telemetry.test", "unknown.pem"),
    )


@dataclass
class Network:
    """`name` is that of the network namespace; `log` holds what the collector in it was sent."""

    name: str
    authority: Authority
    log: Path

    @contextlib.contextmanager
    def collector(self, behaviour: str = "accept", certificate: str = "good") -> Iterator[None]:
        self.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.images.stand_in", behaviour, self.log]
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command, getattr(self.authority, certificate)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def received(self) -> list[dict[str, Any]]:
        """Every request since the last time this was asked."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        self.log.unlink()
        return [json.loads(line) for line in lines]


@contextlib.contextmanager
def private_network(directory: Path, authority: Authority) -> Iterator[Network]:
    needed("ip")
    name = f"images-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield Network(name, authority, directory / "received.jsonl")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
