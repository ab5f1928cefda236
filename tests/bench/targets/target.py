"""What the harness knows of a server that takes reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.wording import Wording

# Starts a target with its files below a directory, and stops it. Raises NotAvailableError where it cannot be had.
Starting = Callable[[Path], AbstractContextManager["Target"]]


@dataclass(frozen=True)
class Target:
    """A running server.

    Attributes:
        name: in tables; one of the names in `names.py`.
        acknowledges: where a report is when it is acknowledged.
        url: where it listens.
        processes: what they do -> their ids; the first are those that answer.
        wording: how it is told a report.
        accepts, refuses: HTTP status of a report that it takes, and of one that it does not; the same where it does
            not look.
        authority: the certificate (PEM) that vouches for it; None without TLS.
        settle: waits until what was acknowledged is where it goes, so that all of its cost is counted.
    """

    name: str
    acknowledges: str
    url: str
    processes: dict[str, Sequence[int]]
    wording: Wording = field(default_factory=Wording)
    accepts: int = 202
    refuses: int = 202
    authority: Path | None = None
    settle: Callable[[], None] = lambda: None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0
