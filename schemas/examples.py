"""The examples beside this module, replayed by the server's tests, by `collector check` and by every client.

`examples/<report>-<version>/<name>.pass.json` is a body that is accepted. `<name>.fail.json` holds
`why`, the expected `outcome` and `field`, and either `body` (a JSON object) or `text` (sent as it is).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    """One body and what becomes of it."""

    path: Path
    report: str
    body: bytes
    outcome: Outcome
    field: str | None


def examples() -> Iterator[Example]:
    """All examples, by file name."""
    for path in sorted(EXAMPLES.glob("*/*.json")):
        name, version = path.parent.name.rsplit("-", 1)
        report = f"{name}/{version}"
        if path.name.endswith(".pass.json"):
            yield Example(path, report, path.read_bytes(), Outcome.ACCEPTED, None)
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        text = content["text"] if "text" in content else json.dumps(content["body"])
        yield Example(path, report, text.encode(), _outcome(content["outcome"]), content["field"])


def _outcome(code: str) -> Outcome:
    return next(outcome for outcome in Outcome if outcome.value == code)
