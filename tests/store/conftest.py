"""The store's tests run on both engines."""

from __future__ import annotations

import pytest

from tests.engine_kinds import KINDS


@pytest.fixture(params=KINDS)
def engine_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
