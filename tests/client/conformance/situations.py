"""The described situations: everything that bears on whether a report may be sent, and what must come of it."""

from __future__ import annotations

import os
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.client.conformance.sending import let_wait
from tests.client.conformance.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.client.conformance.clients import Place

_ADMINISTRATOR = "/etc/telemetry-client/config"
_IMAGE = "/etc/telemetry-client/image"
_COUNTS_AS_OFF = ", which counts as off"
_WAITED_SECONDS = 100


@dataclass(frozen=True)
class Situation(Tree):
    """One situation, see README.md. says: on or off, the rule and the reason."""

    says: tuple[str, str, str] = ("", "", "")
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    after: Mapping[str, str] = field(default_factory=dict)
    product: tuple[str, str] = ("nginx", "1.27.3")
    image: str = _IMAGE
    problems: tuple[str, ...] = ()
    outcome: str = ""
    message: str = ""
    is_dry_run: bool = False
    is_sealed: bool = False
    is_writable: bool = True

    @property
    def is_on(self) -> bool:
        return self.says[0] == "on"

    @property
    def connections(self) -> int:
        """How many there must be for one `send`."""
        return 1 if self.expected_outcome in {"accepted", "valid"} else 0

    @property
    def expected_outcome(self) -> str:
        return self.outcome or ("accepted" if self.is_on else "opted out")

    def expected_message(self, place: Place) -> str:
        usual = {
            "accepted": "accepted: the report is on the collector's disk",
            "valid": "valid: the collector would accept this report; nothing was stored",
            "opted out": f"nothing was sent: {place.fill(self.says[2])}",
        }
        return self.message or usual[self.expected_outcome]

    def let_wait(self, place: Place, url: str) -> None:
        """Puts a report into the outbox that `status` has to count and, opted out, `send` has to delete."""
        let_wait(place, url, int(time.time()) - _WAITED_SECONDS)

    def told(self, place: Place, url: str, *, oldest: int | None) -> dict[str, Any]:
        """What `status --format json` must print; oldest: for how many seconds a report waits, if one does."""
        telemetry, rule, reason = self.says
        reason = place.fill(reason)
        problems = [place.fill(each) for each in self.problems]
        if reason.endswith(_COUNTS_AS_OFF) and rule == "administrator":
            problems = problems or [reason.removesuffix(_COUNTS_AS_OFF)]
        files = [str(place.in_root(_ADMINISTRATOR)), str(place.in_root(self.image)), _ADMINISTRATOR]
        return {
            "telemetry": telemetry,
            "rule": rule,
            "reason": reason,
            "collector": url,
            "collector_from": "given by the caller",
            "collector_problem": None,
            "network": "plain http, to this machine only; no redirects, 8 s at most",
            "proxy": None,
            "proxy_from": None,
            "proxy_problem": None,
            "configuration_files": [{"path": path, "is_there": os.path.lexists(path)} for path in files],
            "configuration_problems": problems,
            "state_directory": str(place.state),
            "state_is_writable": self.is_writable,
            "notice_was_shown": False,
            "is_stopped": False,
            "is_sealed": self.is_sealed,
            "boot_is_reported": False,
            "reports_today": 0,
            "last_send": None,
            "seconds_to_wait": 0,
            "outbox": {
                "reports": 0 if oldest is None else 1,
                "oldest_seconds": oldest or 0,
                "will_be_deleted": oldest is not None,
            },
        }


def read_situations() -> dict[str, Situation]:
    """Every situation by its name: the file's name, a slash, and the table's."""
    return {
        f"{path.stem}/{name}": Situation(**said)
        for path in sorted((Path(__file__).parent / "situations").glob("*.toml"))
        for name, said in tomllib.loads(path.read_text()).items()
    }
