"""TLS as this client uses it: always verified. Importing this raises ImportError where Python has no TLS."""

from __future__ import annotations

import os
import ssl


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, with certificate and host name verified against the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def has_authorities() -> bool:
    """Whether there is any certificate authority to verify against; minimal images often have none."""
    # A directory of authorities is read on demand: it does not show in the context's count.
    directory = ssl.get_default_verify_paths().capath
    try:
        return tls_context().cert_store_stats().get("x509_ca", 0) > 0 or bool(directory and os.listdir(directory))
    except OSError:
        return False
