"""What tests of `send` begin with: a stored yes, a product, a boot, reports that wait."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conformance.clients import Place

NGINX = ("--product", "nginx", "--product-version", "1.27.3")
INSTALLBUILDER = ("--product", "installbuilder", "--product-version", "25.7.0")
KEY = "CANARY-0000-1111-2222"
BOOT_ID = "7d1c5a0e-6f53-4c39-a0f7-2b8c1d9e4f60"
_STAT = (
    "1 ({name}) S 0 1 1 0 -1 4194560 10 20 30 40 50 60 70 80 20 0 1 0 {started} 170000000 3000 18446744073709551615\n"
)


def agree(place: Place, chosen_at: int = 1) -> None:
    """Somebody said yes, so long ago that nothing is from before."""
    place.put(place.state / "consent", f"choice = on\nchosen_at = {chosen_at}\n")


def boot(place: Place, *, boot_id: str = BOOT_ID, started: int = 31, name: str = "systemd") -> None:
    """The machine (boot_id) or the container (started) begins."""
    place.put(place.in_root("/proc/sys/kernel/random/boot_id"), f"{boot_id}\n")
    place.put(place.in_root("/proc/1/stat"), _STAT.format(name=name, started=started))


def entry(url: str, body: str, report: str = "image-boot/1") -> str:
    """A file of the outbox as each client must write it."""
    return json.dumps({"format": 1, "report": report, "url": url, "body": body}, separators=(",", ":"))


def body_of(report_id: str, **fields: str) -> str:
    """The body of a report that each client may send."""
    usual = {"report_id": report_id, "source": "vm", "product": "nginx", "product_version": "1.27.2"}
    return json.dumps({**usual, **fields}, separators=(",", ":"))


def let_wait(place: Place, url: str, made_at: int, text: str = "") -> Path:
    """Puts a report into the outbox; `text` is the file's content, if it is not a good one."""
    report_id = str(uuid.uuid4())
    content = text or entry(url, body_of(report_id))
    return place.put(place.state / "outbox" / f"{made_at:010d}-{report_id}.json", content)
