"""The bare handler: what aiohttp costs when nothing is done with a report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.bench import names
from tests.bench.targets.ours import certificate_for_localhost
from tests.bench.targets.program import serving
from tests.bench.targets.target import Target


@contextlib.contextmanager
def bare(directory: Path, *, tls: bool = False) -> Iterator[Target]:
    arguments: tuple[str, ...] = ()
    authority = None
    if tls:
        certificate, key, authority = certificate_for_localhost(directory)
        arguments = (str(certificate), str(key))
    with serving(directory, "tests.bench.bare_handler", *arguments) as (url, process):
        name = names.BARE_TLS if tls else names.BARE
        yield Target(name, "nowhere (read and dropped)", url, {names.HANDLER: [process]}, authority=authority)
