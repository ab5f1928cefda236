"""Certificates with every flaw a collector's may have, and a server that shows one."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from typing import TYPE_CHECKING, NamedTuple

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client.conformance.listener import Listener

if TYPE_CHECKING:
    import socket
    from pathlib import Path

_DAY = dt.timedelta(days=1)


class Leaf(NamedTuple):
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def context(self, directory: Path) -> ssl.SSLContext:
        """A server's context that shows it."""
        file = directory / "leaf.pem"
        file.write_bytes(self.key + self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class Authority:
    """An authority that issues whatever it is asked for."""

    def __init__(self) -> None:
        self.trustme = trustme.CA()
        self._key = serialization.load_pem_private_key(self.trustme.private_key_pem.bytes(), None)
        self._certificate = x509.load_pem_x509_certificate(self.trustme.cert_pem.bytes())

    def issue(
        self, *names: str, common_name: str = "collector", ends: dt.timedelta = _DAY, is_self_signed: bool = False
    ) -> Leaf:
        """A certificate for these names; those with a digit first or a colon are addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if is_self_signed else self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * _DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if names:
            general = [_general(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        signer = key if is_self_signed else self._key
        certificate = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
        return Leaf(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )


def _general(name: str) -> x509.GeneralName:
    if ":" in name or name[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


class TlsListener(Listener):
    """A stand-in for the collector over TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self.context = context

    def _answer(self, connection: socket.socket) -> None:
        # A handshake within wrap_socket leaves its socket open where it fails.
        with self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secure:
            secure.do_handshake()
            super()._answer(secure)
