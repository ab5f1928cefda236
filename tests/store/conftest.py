"""The store's tests run on both engines."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["embedded", "server"])
def engine_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
