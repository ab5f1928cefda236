"""What a collector permits now, as data, and what `verify` must tell of it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.generate import permits
from schemas.permits_text import permits_text
from schemas.policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT_IN = permits_text(permits(load_policy()))
PATH = "/v1/permits.txt"
_NOT_A_LIST = "the answer is not a list of permits"


@dataclass(frozen=True)
class Verification:
    """One answer to the question about the policy, see README.md.

    Edits of the list that the clients were built with: without (beginnings of lines), instead (a new value of a key),
    added (lines before the end, so many times), longer (letters after the title), replaced (a text by another).
    changes: what, and the value that it has now; none for what is withdrawn. why: why it is not compared; `*` is that
    it is no list, and an empty text anything.
    """

    without: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    times: int = 1
    longer: int = 0
    replaced: tuple[str, str] = ("", "")
    body: str | None = None
    raw: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    has_length: bool = True
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    report: str = "image-boot/1"
    source: str = "vm"
    changes: tuple[tuple[str, str], ...] = ()
    not_within: tuple[str, ...] = ()
    why: str | None = None

    def text(self) -> str:
        """The collector's list."""
        if self.body is not None:
            return self.body
        lines = []
        for line in BUILT_IN.splitlines():
            key, colon, _ = line.partition(": ")
            written = f"{key}: {self.instead[key]}" if colon and key in self.instead else line
            if key == "policy title":
                written += "x" * self.longer
            if not line.startswith(tuple(self.without)):
                lines.append(written)
        lines[-1:-1] = self.added * self.times
        text = "".join(f"{line}\n" for line in lines)
        return text.replace(*self.replaced) if self.replaced[0] else text

    def data(self, url: str) -> bytes | None:
        """What goes over the connection; None for its end alone."""
        if self.raw is not None:
            return self.raw.encode() or None
        body = self.text().encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).replace("{url}", url)
        if "Transfer-Encoding" in self.headers:
            middle = len(body) // 2
            parts = (body[:middle], body[middle:], b"")
            body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
        elif self.has_length:
            head += f"Content-Length: {len(body)}\r\n"
        return f"HTTP/1.1 {self.status} Words\r\n{head}\r\n".encode() + body

    @property
    def outcome(self) -> str:
        if self.why is not None:
            return "not compared"
        return "differs" if self.changes else "same"

    @property
    def code(self) -> int:
        """The exit code."""
        return {"same": 0, "differs": 1, "not compared": 2}[self.outcome]

    def told(self, url: str, why: str | None) -> dict[str, Any]:
        """The whole JSON of `verify`; `why` where no words are laid down."""
        own = dict(line.split(": ", 1) for line in BUILT_IN.splitlines()[1:-1])
        is_compared = self.why is None
        return {
            "url": url + PATH,
            "proxy": None,
            "policy": {key: own[f"policy {key}"] for key in ("id", "title", "dated", "contact", "url")},
            "outcome": self.outcome,
            "why": None if is_compared else {"*": _NOT_A_LIST, "": why}.get(str(self.why), self.why),
            "changes": [
                {"what": what, "here": own.get(what, own.get(f"{what} sources")), "now": now or None}
                for what, now in self.changes
            ],
            "report": self.report,
            "source": self.source or None,
            "is_within": not self.not_within if is_compared and self.source else None,
            "not_within": list(self.not_within),
        }


def read_verifications() -> dict[str, Verification]:
    """Every case by its name."""
    said = tomllib.loads((Path(__file__).parent / "verifications.toml").read_text())
    return {
        name: Verification(**{key: tuple(value) if isinstance(value, list) else value for key, value in case.items()})
        for name, case in said.items()
    }
