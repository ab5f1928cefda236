"""The certificate of the ingest port, and its replacement without dropping a connection."""

from __future__ import annotations

import datetime as dt
import ssl
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HANDSHAKE_SECONDS = 5
_HANDSHAKE_TURNS = 6
_WHATEVER_THE_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME


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


def valid_until(certificate: Path, key: Path) -> dt.datetime:
    """When a certificate ends, or has ended.

    Raises:
        CertificateError: it cannot be told.
    """
    try:
        return seen_by_a_client(certificate, key, _WHATEVER_THE_TIME)
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(f"{certificate}: cannot be shown to a client ({type(error).__name__})") from None


def seen_by_a_client(certificate: Path, key: Path, flags: int = 0) -> dt.datetime:
    """When the certificate ends, as a client learns it that trusts just this one: by a handshake in memory.

    Args:
        certificate: chain in PEM.
        key: private key in PEM.
        flags: what the client's verification does beside.

    Raises:
        ssl.SSLCertVerificationError: a client would refuse it.
    """
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(certificate, key, password=_no_password)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.load_verify_locations(certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | flags
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = offered.wrap_bio(there, back, server_side=True)
    client = trusting.wrap_bio(back, there)
    for _ in range(_HANDSHAKE_TURNS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        seen = client.getpeercert() if client.version() else None
        if seen:
            return dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(str(seen["notAfter"])), dt.UTC)
    raise ssl.SSLError("the handshake does not end")


def _no_password() -> str:
    return ""
