"""An embedded engine's directory with its tables as they are after all migrations, for tests of other things.

Made once for each process of a test run, in a process of its own, since one may have another engine open; then copied,
which takes a hundredth of the time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_MAKING = """
import datetime as dt, pathlib, sys
from collector.store.engine import open_embedded
from collector.store.migrate import migrate
engine = open_embedded(pathlib.Path(sys.argv[1]))
migrate(engine, dt.date(2026, 9, 14))
engine.close()
"""


class ReadyEngine:
    """Makes the directory when it is first needed.

    Args:
        template: where; not there yet.
    """

    def __init__(self, template: Path) -> None:
        self._template = template

    def put(self, directory: Path) -> None:
        """Makes `directory`, an engine's, which is not there yet."""
        if not self._template.exists():
            subprocess.run([sys.executable, "-c", _MAKING, self._template], check=True)
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Tables are found through links that are relative.
        shutil.copytree(self._template, directory, symlinks=True)
