"""What is measured without a sender: modules with `measure(quick: bool)`, each there or not.

They return `{"rows": [Row, ...]}`, with `"promises"` beside it where they judge by themselves; see `results.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from tests.npm_package import NotAvailableError

# Name in the results -> module.
PARTS = {
    "validation": "tests.bench.validating",
    "start": "tests.bench.starting",
    "memory": "tests.bench.backlog",
    "clients": "tests.bench.client_sizes",
    "loading": "tests.bench.loading",
    "closing": "tests.bench.closing",
    "codecs": "tests.bench.codecs",
}


def measure(names: list[str], *, quick: bool, tell: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, str]]:
    """Runs parts one after the other.

    Returns:
        Name -> what the part told, and name -> why it told nothing.
    """
    told, skipped = {}, {}
    for name in names:
        tell(f"measuring {name}")
        try:
            told[name] = importlib.import_module(PARTS[name]).measure(quick)
        except NotAvailableError as error:
            skipped[name] = str(error)
        except ModuleNotFoundError as error:
            skipped[name] = f"{error.name} is not there"
        except Exception as error:  # noqa: BLE001 - half an hour of other figures must not be lost with one
            skipped[name] = f"failed: {type(error).__name__}: {error}"
    return told, skipped
