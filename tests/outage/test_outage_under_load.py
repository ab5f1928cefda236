"""The server is killed under load and started again; the long version is `make test-outage`."""

from __future__ import annotations

from pathlib import Path

from tests.clickhouse_server import NotAvailableError
from tests.conftest import missing
from tests.outage.long_run import outage


def test_server_is_killed_under_load_and_comes_back(tmp_path: Path) -> None:
    try:
        result = outage(tmp_path, 2, 400)
    except NotAvailableError as error:
        missing(str(error))
    assert result.accepted == 3 * 2 * 400
    assert (result.refused, result.lost, result.invented, result.doubled, result.quarantined) == (0, 0, 0, 0, 0)
