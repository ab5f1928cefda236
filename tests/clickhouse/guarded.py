"""A ClickHouse server with the users and the configuration that deploy/clickhouse ships."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from collector.store.server import Address, ServerEngine
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from collector.store.engine import Engine

SHIPPED = PROJECT / "deploy/clickhouse"
USERS = ("owner", "ingest", "publisher", "reports", "example_person")
# The tests' own user, as a server has one: it sees everything, and puts into `private` what must not be seen.
_DEFAULT = (
    "<default><password></password><profile>default</profile><quota>default</quota>"
    "<networks><ip>127.0.0.1</ip></networks></default>"
)


def password(user: str) -> str:
    """The password of a user, of a server that lives as long as a test."""
    return f"tests-{user}"


def guarded(directory: Path, *, tcp_port: int = 0, more: str = "") -> ClickHouseServer:
    """A server, not started, with exactly the shipped users; their passwords come from the environment."""
    for user in USERS:
        os.environ[f"TELEMETRY_{user.upper()}_SHA256"] = hashlib.sha256(password(user).encode()).hexdigest()
    users = (SHIPPED / "users.d/telemetry.xml").read_text(encoding="utf-8")
    for section, own in (("profiles", "<default/>"), ("quotas", "<default/>"), ("users", _DEFAULT)):
        users = users.replace(f"<{section}>", f"<{section}>{own}", 1)
    configuration = (SHIPPED / "config.d/telemetry.xml").read_text(encoding="utf-8")
    inside = configuration.partition("<clickhouse>")[2].partition("</clickhouse>")[0]
    server = ClickHouseServer(directory, tcp_port=tcp_port, more=inside + more, users=users)
    for user in USERS:
        password_file(server, user).write_text(password(user))
        password_file(server, user).chmod(0o600)
    return server


def password_file(server: ClickHouseServer, user: str) -> Path:
    """A file with a user's password."""
    return server.directory / f"password-{user}"


def url(server: ClickHouseServer, user: str) -> str:
    """The setting `store_url` of a user."""
    return f"clickhouse://{user}@127.0.0.1:{server.port}"


def engine_of(server: ClickHouseServer, user: str) -> Engine:
    """A connection of the collector's as this user."""
    return ServerEngine(Address(url(server, user), password_file(server, user), 20), "tests")
