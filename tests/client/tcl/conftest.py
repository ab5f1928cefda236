"""What the tests of the Tcl client share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.listener import Listener
from tests.client.tcl.tclsh import Tcl, need_tcl
from tests.machine_choice import skip_where_the_machine_says_off

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _tcl_that_may_send() -> None:
    need_tcl()
    skip_where_the_machine_says_off()


@pytest.fixture
def tcl(tmp_path: Path) -> Tcl:
    (tmp_path / "home").mkdir(exist_ok=True)
    return Tcl(tmp_path)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as running:
        yield running
