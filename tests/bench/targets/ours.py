"""`collector serve`: its ingest alone, while the store is held, and the whole of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trustme

from tests.bench import names
from tests.bench.cores import SERVER, on_core, spread
from tests.bench.targets.target import Target
from tests.conftest import Server, children, running

ACKNOWLEDGES = "on disk (fdatasync)"
# All come from one address, which has a limit otherwise; a full test disk is no reason to refuse here.
_OPTIONS = ("--rate-per-second", "0", "--reserve-percent", "0")
_NOT_KILLED = ("--silent-process-seconds", "3600")
_SETTLE_SECONDS = 120


@contextlib.contextmanager
def ingest(directory: Path, *, name: str = names.INGEST, tls: bool = False, workers: int = 1) -> Iterator[Target]:
    """The workers take reports, and the store process is stopped as by a debugger: reports pile up in the spool.

    So one core has one worker, and the supervisor, to itself. Of several workers each has a core.
    """
    options: tuple[str, ...] = ()
    authority = None
    if tls:
        certificate, key, authority = certificate_for_localhost(directory)
        options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with _serving(directory, *_NOT_KILLED, "--workers", str(workers), *options) as server:
        processes = _processes(server)
        if workers > 1:
            spread(processes[names.WORKER])
        for store in processes.pop(names.STORE):
            os.kill(store, signal.SIGSTOP)
        try:
            yield Target(name, ACKNOWLEDGES, server.ingest, dict(processes), refuses=422, authority=authority)
        finally:
            server.kill_everything()  # a store that is stopped does not end when it is asked to


@contextlib.contextmanager
def whole(directory: Path) -> Iterator[Target]:
    """Everything that one machine runs, on one core: reports are in the database in the end."""
    with _serving(directory) as server:
        settle = partial(_wait_until_loaded, server.data)
        yield Target(names.WHOLE, ACKNOWLEDGES, server.ingest, dict(_processes(server)), refuses=422, settle=settle)


@contextlib.contextmanager
def _serving(directory: Path, *options: str) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        with on_core(SERVER):
            server = stack.enter_context(running(directory / "data", *_OPTIONS, *options))
        yield server


def _processes(server: Server) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {names.WORKER: [], names.SUPERVISOR: [server.process.pid], names.STORE: []}
    roles = {b"collector.worker": names.WORKER, b"collector.storekeeper": names.STORE}
    for process in children(server.process.pid):
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        for word, role in roles.items():
            if word in words:
                found[role].append(process)
    return found


def _wait_until_loaded(data: Path) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while next(data.glob("spool/*/*/*.ndjson"), None):
        if time.monotonic() > deadline:
            raise TimeoutError("the store does not load what was reported")
        time.sleep(0.1)


def certificate_for_localhost(directory: Path) -> tuple[Path, Path, Path]:
    """Files of a certificate chain, its key and the authority that signed it."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain, key, trusted = (directory / name for name in ("chain.pem", "key.pem", "authority.pem"))
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(chain, append=number > 0)
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trusted)
    return chain, key, trusted
