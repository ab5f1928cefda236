"""An embedded engine's directory with its tables as they are after all migrations, for tests of other things.

Made in a process of its own, since a process has one embedded engine; a copy takes a hundredth of the time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.built_once import built_once, copied

_MAKING = """
import datetime as dt, pathlib, sys
from collector.store.engine import open_embedded
from collector.store.migrate import migrate
engine = open_embedded(pathlib.Path(sys.argv[1]))
migrate(engine, dt.date(2026, 9, 14))
engine.close()
"""


class ReadyEngine:
    """Makes the directory when it is first needed."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory

    def put(self, directory: Path) -> None:
        """Makes `directory`, an engine's, which is not there yet."""

        def make(template: Path) -> None:
            subprocess.run([sys.executable, "-c", _MAKING, template], check=True)

        copied(built_once(self._factory, "ready-engine", make), directory)
