"""A mistake in the program, as no real fault makes one: a worker fails on every report while a file is there.

Python imports this at the start of each process whose PYTHONPATH names this directory.
"""

import os
import sys
from pathlib import Path

if "collector.worker" in sys.orig_argv:
    from collector.ingest.validation import Validator

    _mistake = Path(os.environ["PLANTED_MISTAKE"])
    _right = Validator.validate_json

    def _wrong(self, *arguments, **named):
        if _mistake.exists():
            raise RuntimeError("planted")
        return _right(self, *arguments, **named)

    Validator.validate_json = _wrong
