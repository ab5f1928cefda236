from __future__ import annotations

import pytest

from tests.engine_kinds import PUBLISHING_KINDS


@pytest.fixture(params=PUBLISHING_KINDS)
def engine_kind(request: pytest.FixtureRequest) -> str:
    """ENGINES=server,sharded for the others."""
    return str(request.param)
