"""A made-up fleet of 70 days that end yesterday, closed and released: made once for all modules of a run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.built_once import built_once, copied
from tests.conftest import collector

# `serve` closes every day that is over, so the days end yesterday: then nothing changes while it is asked.
TODAY = dt.datetime.now(dt.UTC).date()


def made_up_summer(factory: pytest.TempPathFactory) -> Path:
    """A data directory of its own for one module."""

    def make(directory: Path) -> None:
        until = TODAY - dt.timedelta(days=1)
        options = ["--days", "70", "--reports", "20000", "--seed", "3", "--until", str(until)]
        collector("simulate", "--data", str(directory), *options)

    return copied(built_once(factory, "made-up-summer", make), factory.mktemp("summer") / "data")
