"""Listening sockets, bound once and exclusively, so that two servers never share a port by accident."""

from __future__ import annotations

import errno
import socket


class AddressInUseError(Exception):
    """A port that cannot be bound."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        AddressInUseError: it cannot be bound; the text says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    # Lets a restart bind while old connections fade; another listener on the port is still refused.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        advice = "; choose another port or stop what uses it" if error.errno == errno.EADDRINUSE else ""
        raise AddressInUseError(f"{host}:{port} cannot be used: {error.strerror}{advice}") from error
    listening.listen(1024)
    return listening


def address(listening: socket.socket, scheme: str = "http") -> str:
    """The socket's URL."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
