"""A sharded ClickHouse cluster of real servers, each a process of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.store.server import Address, ServerEngine
from collector.store.sharded import CLUSTER, ShardedEngine
from tests.clickhouse_server import ClickHouseServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SECRET = "a-secret-between-the-servers-of-tests"  # noqa: S105 - of servers that live as long as a test


def _plain(directory: Path, tcp_port: int, more: str) -> ClickHouseServer:
    return ClickHouseServer(directory, tcp_port=tcp_port, more=more)


@dataclass
class Cluster:
    """Servers that know each other as the shards of one cluster.

    Args:
        directory: for all of them.
        shards: how many.
        make: one server in a directory, with a native port, and more in its configuration.
    """

    directory: Path
    shards: int
    make: Callable[[Path, int, str], ClickHouseServer] = _plain
    servers: list[ClickHouseServer] = field(default_factory=list)

    def __post_init__(self) -> None:
        ports = [free_port() for _ in range(self.shards)]
        replicas = "".join(
            f"<shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>" for port in ports
        )
        remote = f"<remote_servers><{CLUSTER}><secret>{_SECRET}</secret>{replicas}</{CLUSTER}></remote_servers>"
        self.servers = [
            self.make(self.directory / f"shard-{number}", port, remote) for number, port in enumerate(ports, 1)
        ]

    @property
    def entry(self) -> ClickHouseServer:
        return self.servers[0]

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def empty(self) -> None:
        for server in self.servers:
            server.empty()

    def engine(self, name: str = "tests", timeout_seconds: int = 20) -> ShardedEngine:
        """A connection to all shards."""
        return ShardedEngine(
            [
                ServerEngine(Address(server.url(), server.password_file, timeout_seconds), name)
                for server in self.servers
            ]
        )

    def url(self, user: str = "loader") -> str:
        """The setting `store_url` of a user."""
        return f"clickhouse://{user}@" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def options(self) -> list[str]:
        """Options with which `collector serve` uses the cluster."""
        return [
            *("--store-url", self.url(), "--store-tables", "sharded"),
            *("--store-password-file", os.fspath(self.entry.password_file)),
        ]
