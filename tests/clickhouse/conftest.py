from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.store.migrate import migrate
from tests.clickhouse.guarded import engine_of, guarded
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import started
from tests.sample_days import DAY

# A cluster that nobody answers for: a refusal must come before the first connection.
_CLUSTER = (
    "<remote_servers><telemetry><shard><replica><host>127.0.0.1</host><port>1</port></replica></shard></telemetry>"
    "</remote_servers>"
)


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A running server with the shipped users."""
    with started(guarded(tmp_path_factory.mktemp("guarded"), more=_CLUSTER)) as server:
        yield server


@pytest.fixture
def store(guarded_server: ClickHouseServer) -> ClickHouseServer:
    """The same with tables that its owner has made, and nothing in them."""
    guarded_server.empty()
    owner = engine_of(guarded_server, "owner")
    migrate(owner, DAY)
    owner.close()
    return guarded_server
