"""A ClickHouse server with the users and the configuration that deploy/clickhouse ships, as they are."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from collector.store.server import Address, ServerEngine
from collector.store.sharded import ShardedEngine
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from collector.store.engine import Engine
    from tests.cluster import Cluster

SHIPPED = PROJECT / "deploy/clickhouse"
USERS = ("owner", "ingest", "publisher", "reports", "example_person")
# What a server has before the shipped files come to it: the tests' own user, who sees everything.
_BEFORE = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas>
<users><default><password></password><profile>default</profile><quota>default</quota>
<networks><ip>127.0.0.1</ip></networks></default></users></clickhouse>"""


def password(user: str) -> str:
    """The password of a user, of a server that lives as long as a test."""
    return f"tests-{user}"


def guarded(directory: Path, *, tcp_port: int = 0, more: str = "") -> ClickHouseServer:
    """A server, not started, with the shipped files; the passwords come from its environment.

    Args:
        directory: see ClickHouseServer.
        tcp_port: see ClickHouseServer.
        more: what its own configuration holds.
    """
    server = ClickHouseServer(directory, tcp_port=tcp_port, more=more, users=_BEFORE)
    for part in ("users.d", "config.d"):
        shutil.copytree(SHIPPED / part, directory / part)
    for user in USERS:
        file = password_file(server, user)
        file.write_text(password(user))
        file.chmod(0o600)
        digest = hashlib.sha256(password(user).encode()).hexdigest()
        server.environment[f"TELEMETRY_{user.upper()}_SHA256"] = digest
    return server


def guarded_shard(directory: Path, tcp_port: int, more: str) -> ClickHouseServer:
    """The same for a cluster, see tests/cluster.py."""
    return guarded(directory, tcp_port=tcp_port, more=more)


def password_file(server: ClickHouseServer, user: str) -> Path:
    """A file with a user's password."""
    return server.directory / f"password-{user}"


def url(server: ClickHouseServer, user: str) -> str:
    """The setting `store_url` of a user."""
    return f"clickhouse://{user}@127.0.0.1:{server.port}"


def engine_of(server: ClickHouseServer, user: str) -> Engine:
    """A connection of the collector's as this user."""
    return ServerEngine(Address(url(server, user), password_file(server, user), 20), "tests")


def engine_over(cluster: Cluster, user: str) -> Engine:
    """A connection of the collector's to all shards as this user."""
    return ShardedEngine([engine_of(server, user) for server in cluster.servers])
