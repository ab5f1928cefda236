"""Looks into an engine that nobody serves, as a process of its own: `python -m collector.doctor.look DIR THROUGH DAY`.

Asks, and changes no table. Prints one line of JSON: what `Case.days` holds and what the tables do, or the engine's
error code.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

from collector.publish.publisher import due_days, last_closed
from collector.retention.holdings import in_store
from collector.retention.look import told
from collector.store.engine import EngineError, open_embedded


def look(directory: Path, through: dt.date, today: dt.date) -> dict[str, object]:
    """The last closed day, the days up to `through` that are not closed, and the oldest things held."""
    engine = open_embedded(directory)
    try:
        last = last_closed(engine)
        due = [day.isoformat() for day in due_days(engine, through)]
        held = told(in_store(engine, today))
    finally:
        engine.close()
    return {"last_closed": last.isoformat() if last else None, "due": due, "held": held}


def main() -> None:
    """Entry of the process."""
    try:
        answer = look(Path(sys.argv[1]), *map(dt.date.fromisoformat, sys.argv[2:4]))
    except EngineError as error:
        answer = {"code": error.code}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
