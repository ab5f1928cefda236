"""The described answers of a collector, and what each client must make of them."""

from __future__ import annotations

import re
import time
import tomllib
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STOPPED = "the collector told this version of the client to stop"
_IN_SECONDS = re.compile(r"\{in ([0-9]+) s\}")


@dataclass(frozen=True)
class Answer:
    """One answer, see README.md.

    raw: the exact text, instead of status, headers and body (repeated so many times). told: the answer in the
    client's message; None where no words are laid down. pause: the least and the most seconds until the next
    attempt. sent: the status in the file `sent`; None for the answer's own.
    """

    outcome: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    times: int = 1
    raw: str | None = None
    told: str | None = None
    pause: tuple[int, int] | None = None
    sent: int | None = None

    def data(self, url: str) -> bytes | None:
        """What goes over the connection; None for its end alone."""
        if self.raw is not None:
            return self.raw.encode() or None
        body = self.body * self.times
        lines = [f"HTTP/1.1 {self.status} Words", *(f"{name}: {value}" for name, value in self.headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).replace("{url}", url)
        date = _IN_SECONDS.search(head)
        if date:
            head = head.replace(date[0], formatdate(time.time() + int(date[1]), usegmt=True))
        return (head + body).encode()

    @property
    def recorded(self) -> int:
        """The status in `sent`."""
        if self.sent is not None:
            return self.sent
        return int(self.raw.split()[1]) if self.raw else self.status

    @property
    def message(self) -> str:
        """A pattern for the message."""
        told = ".+" if self.told is None else re.escape(self.told)
        return {
            "accepted": "accepted: the report is on the collector's disk",
            "refused": f"refused and dropped: {told}",
            "stopped": _STOPPED,
            "waiting": rf"not sent \({told}\); it waits in the outbox",
        }[self.outcome]


def read_answers() -> dict[str, Answer]:
    """Every answer by its name."""
    text = (Path(__file__).parent / "answers.toml").read_text()
    return {name: Answer(**said) for name, said in tomllib.loads(text).items()}
