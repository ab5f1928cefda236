"""Asks the store process of a running `serve` through the control socket, with a limit on the time it may take."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_ANSWERED = 200


class NoAnswerError(Exception):
    """The store process did not answer; the text says in which way."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, control: Path, seconds: float) -> None:
        super().__init__("collector", timeout=seconds)
        self._control = os.fspath(control)

    def connect(self) -> None:
        """Connects to the Unix socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._control)


def listens(control: Path) -> bool:
    """Whether somebody is behind the socket, and not only left it there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connecting:
        connecting.settimeout(1)
        try:
            connecting.connect(os.fspath(control))
        except OSError:
            return False
    return True


def ask(control: Path, path: str, seconds: float) -> dict[str, Any]:
    """What a running `serve` answers to GET `path`.

    Raises:
        NoAnswerError: there is no socket, nobody listens, or no good answer came within `seconds`.
    """
    connection = _Connection(control, seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except FileNotFoundError:
        raise NoAnswerError("there is no control socket") from None
    except TimeoutError:
        raise NoAnswerError(f"no answer within {seconds:g} seconds") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswerError(f"no answer ({type(error).__name__})") from None
    finally:
        connection.close()
    if response.status != _ANSWERED or not isinstance(answer, dict):
        because = answer.get("error") if isinstance(answer, dict) else None
        raise NoAnswerError(str(because or f"it answered with status {response.status}"))
    return answer
