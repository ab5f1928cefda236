"""What the tests of this directory share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.clients import RUNNING, Place, wants_all
from tests.client.conformance.listener import Listener
from tests.client.conformance.sending import agree
from tests.machine_choice import skip_where_the_machine_says_off

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _machine_that_may_send() -> None:
    skip_where_the_machine_says_off()


@pytest.fixture(scope="session", autouse=True)
def _preloaded() -> Iterator[None]:
    yield
    while RUNNING:
        RUNNING.pop().end()


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    base = tmp_path / "of"
    base.mkdir()
    return Place(base, wants_all() or getattr(request.module, "STARTS_FRESH", False))


@pytest.fixture
def agreed(place: Place) -> Place:
    """A place whose user has said yes."""
    agree(place)
    return place


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as running:
        yield running
