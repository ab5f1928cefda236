"""Tokens and session cookies: 256 random bits each, of which only a SHA-256 is kept.

A slow hash (bcrypt, scrypt, Argon2) makes guessing short, human passwords expensive. Nobody guesses 256 random
bits, at any speed, so it would only cost time in every request. A hash that was read by others is still of no
use to them: it cannot be turned back, and what is asked for is the token.

A token is `ptel_` and 64 hex digits: secret scanners find it by `ptel_[0-9a-f]{64}`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import unquote

TOKEN_PREFIX = "ptel_"  # noqa: S105 - its public part
_BYTES = 32
_HEX_DIGITS = 2 * _BYTES
_LOOKS_LIKE_ONE = re.compile(rf"{TOKEN_PREFIX}[0-9a-f]{{8,}}", re.IGNORECASE)


def new_token() -> str:
    """A token for a person or a script."""
    return TOKEN_PREFIX + secrets.token_hex(_BYTES)


def new_cookie() -> str:
    """The value of a new session's cookie."""
    return secrets.token_hex(_BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a token or cookie: 32 bytes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def holds_token(text: str) -> bool:
    """Whether part of a URL looks like a token, or the beginning of one, encoded or not."""
    return bool(_LOOKS_LIKE_ONE.search(text) or _LOOKS_LIKE_ONE.search(unquote(text)))
