"""The bytes of requests: made once, but for the id, which is another one in every report."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

# Where a report's number stands, in a random UUID that is the same for a run but for that.
NUMBER = "{number}"
REPORT_ID = f"{{run}}-58c2-4f0e-9d6c-{NUMBER}"
FIELDS = (
    f'"report_id":"{REPORT_ID}","source":"cloud","product":"wordpress","product_version":"6.4.2-0",'
    '"os_version":"debian-12","instance_type":"t3.micro","language":"en-US"'
)
REPORT = f"{{{FIELDS}}}"
REFUSED = f'{{{FIELDS},"hostname":"web-1"}}'

PATH = "/v1/reports/image-boot/1"
# One report, for whoever needs no other.
BODY = REPORT.replace("{run}", "0b7e5c1a").replace(NUMBER, "3f2a9e1b7c44").encode()


@dataclass(frozen=True)
class Wording:
    """How a target is told a report.

    Attributes:
        path: with the query, if there is one.
        content_type: of one report.
        report: the body, with REPORT_ID where its id stands.
        refused: one that a target which looks at it refuses.
        batch_content_type: of several reports, one a line.
        headers: besides.
    """

    path: str = PATH
    content_type: str = "application/json"
    report: str = REPORT
    refused: str = REFUSED
    batch_content_type: str = "application/x-ndjson"
    headers: dict[str, str] = field(default_factory=dict)


class Requests:
    """Makes requests, each with ids that no other has.

    Args:
        wording: how the target is told a report.
        host: for the Host header.
        lines: reports of a request.
        refused_every: each so many-eth request is one to be refused; 0 for none.
        closes: whether each asks for the connection to be closed.
    """

    def __init__(self, wording: Wording, *, host: str, lines: int, refused_every: int, closes: bool) -> None:
        run = secrets.token_hex(4)
        kinds = []
        for report in (wording.report, wording.refused):
            body = "\n".join([report.replace("{run}", run)] * lines)
            kinds.append(_template(wording, body, host, lines, closes=closes))
        self._good, self._refused = kinds
        self._lines = lines
        self._refused_every = refused_every
        self._made = 0

    def next(self) -> bytes:
        """The next one."""
        self._made += 1
        template = self._refused if self._refused_every and self._made % self._refused_every == 0 else self._good
        if self._lines == 1:
            return template % self._made
        first = self._made * self._lines
        return template % tuple(range(first, first + self._lines))


def _template(wording: Wording, body: str, host: str, lines: int, *, closes: bool) -> bytes:
    length = len(body.replace(NUMBER, "0" * 12))
    headers = {
        "Host": host,
        "Content-Type": wording.content_type if lines == 1 else wording.batch_content_type,
        "Content-Length": str(length),
        **wording.headers,
    }
    if closes:
        headers["Connection"] = "close"
    head = f"POST {wording.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}\r\n{body}".replace("%", "%%").replace(NUMBER, "%012x").encode("ascii")
