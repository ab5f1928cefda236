"""What a run measured, as it stands in its JSON file.

{"format": 1, "quick": false, "rounds": 7, "seconds": 3.0, "on": "2026-11-27", "commit": "...",
 "machine": {what: in words},
 "measurements": [what `rounds.Measured.summary` tells, with "peak_mb"],
 "parts": {name: {"rows": [Row]}},
 "skipped": {target or part: why}}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.row import Row

FORMAT = 1


class NotMeasuredError(Exception):
    """A figure is not in the results; the text says why."""


@dataclass(frozen=True)
class Results:
    """A run's results. content: the JSON object."""

    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Results:
        """Those in a file.

        Raises:
            ValueError: it is not a file of results of this format.
        """
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path} does not hold results of format {FORMAT}")
        return cls(content)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @property
    def measurements(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.content["measurements"]
        return found

    @property
    def workloads(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(one["workload"] for one in self.measurements))

    def of(self, workload: str, target: str) -> dict[str, Any]:
        """What was measured of a target under a workload.

        Raises:
            NotMeasuredError: nothing was.
        """
        for one in self.measurements:
            if (one["workload"], one["target"]) == (workload, target):
                return one
        raise NotMeasuredError(self.why_not(target))

    def row(self, part: str, name: str) -> Row:
        """A figure of a part.

        Raises:
            NotMeasuredError: it is not there.
        """
        rows: list[Row] = self.content["parts"].get(part, {}).get("rows", [])
        for one in rows:
            if one["name"] == name:
                return one
        raise NotMeasuredError(self.why_not(part))

    def why_not(self, what: str) -> str:
        """Why a target or part was not measured."""
        return str(self.content["skipped"].get(what, f"{what} was not measured"))
