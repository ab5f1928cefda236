"""What was asked for and what came of it: <data>/requests.ndjson, appended to and never changed.

A line of JSON for each step: `on` (UTC date), `request` (a random id), `kind` (forget, purge), `state` (asked,
pending, done), `rows` (place -> how many rows were changed in this step), for a purge also `field`. No key, no
pseudonym, nobody's name, and no hour: it may be kept for ever and shown to whoever asks whether requests are answered.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["forget", "purge"]
State = Literal["asked", "pending", "done"]


def note(path: Path, request: str, kind: Kind, state: State, on: dt.date, rows: Mapping[str, int], **more: str) -> None:
    """Appends a line, durably.

    Raises:
        OSError: it cannot be written.
    """
    line = {"on": on.isoformat(), "request": request, "kind": kind, "state": state, "rows": dict(rows)} | more
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
