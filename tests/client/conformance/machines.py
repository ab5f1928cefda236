"""The described machines: what lies below their `/`, their environment, and the report that they make."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.client.conformance.clients import SDK
from tests.client.conformance.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
ORDER = (
    "report_id",
    "source",
    "product",
    "product_version",
    "os_version",
    "instance_type",
    "language",
    "license_key",
)
PERMITS = json.loads((SDK / "python/telemetry_client/permits.json").read_text())
_DEFAULTS = "defaults"


@dataclass(frozen=True)
class Machine(Tree):
    """One machine, see README.md. body: each field's value and where it comes from, without the report_id."""

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    body: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    example: str = ""

    @property
    def values(self) -> dict[str, str]:
        """The body as a mapping, without the report_id."""
        return {name: self.body[name][0] for name in ORDER if name in self.body}

    @property
    def report(self) -> str:
        return "installbuilder-run/1" if self.values.get("product") == "installbuilder" else "image-boot/1"

    def told(self, report_id: str) -> dict[str, Any]:
        """What `show --reveal-key --format json` must print for it where nobody chose and no collector is known."""
        permits = PERMITS["reports"][self.report]["fields"]
        facts = dict(self.body)
        if "report_id" not in self.left_out:
            facts["report_id"] = (report_id, "random, new for every report")
        fields = [
            {
                "field": name,
                "value": facts[name][0],
                "from": facts[name][1],
                "purpose": permits[name]["purpose"],
                "clause": permits[name]["clause"],
            }
            for name in ORDER
            if name in facts
        ]
        body = json.dumps({each["field"]: each["value"] for each in fields}, separators=(",", ":"))
        policy = PERMITS["policy"]
        return {
            "report": self.report,
            "url": None,
            "would_be_sent": False,
            "why": "nobody has switched it on",
            "notice_comes_first": False,
            "fields": fields,
            "left_out": [{"field": name, "why": why} for name, why in self.left_out.items()],
            "missing": list(self.missing),
            "body": body,
            "body_bytes": len(body),
            "license_key_is_masked": False,
            "policy": policy,
            "proxy": None,
        }


def read_machines() -> dict[str, Machine]:
    """Every machine by its name: the file's name, a slash, and the table's."""
    return {
        f"{path.stem}/{name}": Machine(**{**table.get(_DEFAULTS, {}), **said, "body": _body(table, said)})
        for path in sorted((HERE / "machines").glob("*.toml"))
        for table in [tomllib.loads(path.read_text())]
        for name, said in table.items()
        if name != _DEFAULTS
    }


def _body(table: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {**table.get(_DEFAULTS, {}).get("body", {}), **said.get("body", {})}
