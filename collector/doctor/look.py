"""Looks into an engine that nobody serves, as a process of its own: `python -m collector.doctor.look DIR THROUGH`.

Asks, and changes no table. Prints one line of JSON: what `Case.days` holds, or the engine's error code.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

from collector.publish.publisher import due_days, last_closed
from collector.store.engine import EngineError, open_embedded


def look(directory: Path, through: dt.date) -> dict[str, object]:
    """The last closed day, and the days up to `through` that are not closed."""
    engine = open_embedded(directory)
    try:
        last = last_closed(engine)
        due = [day.isoformat() for day in due_days(engine, through)]
    finally:
        engine.close()
    return {"last_closed": last.isoformat() if last else None, "due": due}


def main() -> None:
    """Entry of the process."""
    try:
        answer = look(Path(sys.argv[1]), dt.date.fromisoformat(sys.argv[2]))
    except EngineError as error:
        answer = {"code": error.code}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
