"""How often a report is made: once per boot, and ten times a day, in one state directory.

    last-boot     boot = BOOT                               0644
    today         day = 2026-11-26, reports = 3  (UTC)      0644

What is not there, or cannot be written, does not limit. A dry run is neither limited nor counted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from telemetry_client.permits import IMAGE_BOOT
from telemetry_client.state import whole_number

if TYPE_CHECKING:
    from telemetry_client.state import State

MOST_A_DAY = 10
BOOT_IS_REPORTED = "this boot was reported already"
DAY_IS_FULL = "ten reports were made today, which is the limit"


class Limits(NamedTuple):
    """What was made from a state directory so far. boot: the running one, empty where none is known."""

    state: State
    boot: str
    now: float

    def reached(self, report_id: str) -> str:
        """The limit that keeps this kind of report from being made, in words; empty where none does."""
        if report_id == IMAGE_BOOT and self.boot_is_reported():
            return BOOT_IS_REPORTED
        return DAY_IS_FULL if self.reports_today() >= MOST_A_DAY else ""

    def boot_is_reported(self) -> bool:
        """Whether this boot was reported."""
        return bool(self.boot) and self.state.values("last-boot").get("boot") == self.boot

    def reports_today(self) -> int:
        """How many reports were made today."""
        values = self.state.values("today")
        return whole_number(values.get("reports", "")) if values.get("day") == self._day() else 0

    def remember(self, report_id: str) -> None:
        """Remembers that one was made."""
        if report_id == IMAGE_BOOT and self.boot:
            self.state.try_write("last-boot", f"boot = {self.boot}\n", 0o644)
        self.state.try_write("today", f"day = {self._day()}\nreports = {self.reports_today() + 1}\n", 0o644)

    def _day(self) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self.now))
