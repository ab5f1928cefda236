"""The certificate of the ingest port, and its replacement without dropping a connection."""

from __future__ import annotations

import ssl
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HANDSHAKE_SECONDS = 5


class CertificateError(Exception):
    """A certificate or key that cannot be used; the text names the files, never their content."""


class Certificate:
    """A TLS context whose certificate can be read again; connections that are open keep theirs.

    Args:
        certificate: chain in PEM.
        key: private key in PEM, of mode 0600 or stricter.

    Raises:
        CertificateError: unreadable, readable by others, or not a pair.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        # No session is resumed across restarts or workers, and a phone-home needs no second one.
        self.context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        self.load()

    def load(self) -> None:
        """Reads the files; what was read before stays in use if they cannot be used."""
        check_pair(self._certificate, self._key)
        self.context.load_cert_chain(self._certificate, self._key, password=_no_password)


def check_pair(certificate: Path, key: Path) -> None:
    """Checks that the two files can be used.

    Raises:
        CertificateError: what is wrong with which.
    """
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
        if mode & 0o077 & ~0o040:
            # A group such as ssl-cert may read it: that is how distributions share certificates.
            raise CertificateError(f"{key}: mode {mode:04o} lets others use it; run: chmod 600 {key}")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise CertificateError(
            f"{certificate} and {key} cannot be used together ({error.reason or 'not PEM'}); "
            "the key must be the certificate's own, in PEM, without a password"
        ) from None
    except OSError as error:
        raise CertificateError(f"{error.filename or certificate}: {error.strerror}") from None


def _no_password() -> str:
    return ""
