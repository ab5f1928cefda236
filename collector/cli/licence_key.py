"""A licence key on standard input, and what it is in the store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from collector.cli.main import fail
from collector.layout import Layout

if TYPE_CHECKING:
    from collector.settings import Settings

_LONGEST = 1_000


def read_pseudonyms(settings: Settings) -> dict[str, str]:
    """Quarter -> pseudonym of the key on standard input, under every pepper that is here.

    The key goes nowhere else. No key, one that can be none, or no pepper ends the program.
    """
    from pydantic import TypeAdapter, ValidationError

    from collector.ingest.pseudonyms import PepperError, Peppers
    from schemas.fields import LicenseKey

    try:
        key = TypeAdapter(LicenseKey).validate_python(_given())
    except ValidationError:
        fail("what came on standard input cannot be a licence key; give one key, and nothing else")
    paths = Layout(settings.data.absolute())
    if not paths.secrets.exists():
        fail(f"{settings.data} holds no collector data, or no peppers: there is nothing to find a licence with")
    try:
        found = Peppers(paths.secrets, makes=False).all_pseudonyms(key)
    except PepperError as error:
        fail(str(error))
    if not found:
        fail(f"{paths.secrets} holds no pepper: put those of the collectors there, see deploy/RIGHTS.md")
    return found


def _given() -> str:
    """What came, without the space around it; empty if that cannot be one key."""
    if sys.stdin is None:  # closed
        return ""
    if sys.stdin.isatty():
        return str(click.prompt("Licence key", hide_input=True, err=True)).strip()
    # Bytes: what is no text ends with the same words. One more than is taken: a second key behind it is not overlooked.
    given = sys.stdin.buffer.read(_LONGEST + 1)
    return "" if len(given) > _LONGEST else given.decode("ascii", "replace").strip()
