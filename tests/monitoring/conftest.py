"""Certificates that end when a test wants them to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

_AUTHORITY = trustme.CA()


def write_certificate(directory: Path, end: dt.datetime) -> tuple[Path, Path]:
    """Chain and key of a certificate for localhost that has begun and ends, or has ended, at `end`."""
    issued = _AUTHORITY.issue_cert("localhost", not_before=end - dt.timedelta(days=100), not_after=end)
    chain, key = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


@pytest.fixture
def issue() -> Callable[[Path, dt.datetime], tuple[Path, Path]]:
    return write_certificate
