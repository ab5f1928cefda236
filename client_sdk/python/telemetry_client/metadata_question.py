"""Asks a cloud's metadata service for the machine's size; bounded in time whatever the service does.

Invariants: directly, whatever proxy is set; no redirect is followed; nothing is asked twice; the answer is one of
status 200 with at most 16 KiB, or none. A service that drips a byte at a time ignores socket timeouts, so the
question runs in a daemon thread whose socket is shut down when time is up.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from typing import TYPE_CHECKING, Dict, List

from telemetry_client.connecting import Connecting
from telemetry_client.deadline import Deadline

if TYPE_CHECKING:
    from telemetry_client.metadata_services import Service

CONNECT_SECONDS = 1.0
TOTAL_SECONDS = 2.0
MAX_ANSWER_BYTES = 16 * 1024
_OK = 200
_PORT = 80
_TOKEN = re.compile(r"[!-~]{1,512}")


def ask(service: Service, most_seconds: float) -> str:
    """The size as the service tells it; empty where it does not."""
    deadline = Deadline(min(TOTAL_SECONDS, most_seconds))
    question = _Question(service, deadline)
    thread = threading.Thread(target=question.run, name="telemetry-client", daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if thread.is_alive():
        question.connecting.abandon()
    return question.answers[0] if question.answers else ""


class _Question:
    """The requests to one service, one connection each; runs in its own thread."""

    def __init__(self, service: Service, deadline: Deadline) -> None:
        self.service = service
        self.connecting = Connecting(deadline)
        self.answers: List[str] = []

    def run(self) -> None:
        # Whatever it is: the size is optional, and this is the top of a thread.
        with contextlib.suppress(Exception):
            self.answers.append(self._answer())
        self.connecting.release()

    def _answer(self) -> str:
        service = self.service
        headers = dict(service.headers)
        if service.token is not None:
            token = self._request("PUT", service.token.path, dict([service.token.header]))
            # One line without blanks: a token must not bring a header of its own along.
            token = token[:-1] if token.endswith("\n") else token  # noqa: FURB188 - not in Python 3.8
            if not _TOKEN.fullmatch(token):
                return ""
            headers[service.token.carried_by] = token
        return service.read(self._request("GET", service.path, headers))

    def _request(self, method: str, path: str, headers: Dict[str, str]) -> str:
        """The text of the answer; empty where it is none."""
        connection = http.client.HTTPConnection(self.service.address)
        connection.sock = self.connecting.connect(self.service.address, _PORT, CONNECT_SECONDS)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if method == "PUT":
                connection.putheader("Content-Length", "0")
            connection.putheader("Connection", "close")
            connection.endheaders()
            return self._read(method, connection.getresponse())
        finally:
            connection.close()

    def _read(self, method: str, response: http.client.HTTPResponse) -> str:
        if response.status != _OK:
            return ""
        needed = self.service.answers_with if method == "GET" else None
        if needed is not None and response.getheader(needed[0]) != needed[1]:
            return ""
        body = response.read(MAX_ANSWER_BYTES + 1)
        return body.decode("utf-8", errors="replace") if len(body) <= MAX_ANSWER_BYTES else ""
