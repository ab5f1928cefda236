"""How a verb reaches the store: through a running `serve`, or by opening the directory itself."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector import logs
from collector.cli.ledger import this_user
from collector.cli.main import fail
from collector.configuration import read_configuration
from collector.control import listens
from collector.ingest import segment
from collector.ingest.pseudonyms import PepperError
from collector.layout import DirectoryInUseError, Layout, hold, is_held, layout
from collector.roles import Role
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from collector.settings import Settings
    from collector.storeroom import StoreRoom


# Another command on the same directory is soon done; a running `serve` answers and is not waited for.
_WAIT_SECONDS = 10
_ANSWER_SECONDS = 30


class NoServerError(Exception):
    """No `serve` answers for this data directory."""


def ask(
    settings: Settings,
    method: str,
    path: str,
    parameters: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Asks the running `serve` of this data directory.

    Args:
        settings: say which.
        method: of HTTP.
        path: of the route.
        parameters: of the question.
        body: what nothing may log, as JSON.

    Returns:
        Its answer; an answer that is an error ends the program with its text.

    Raises:
        NoServerError: none runs.
    """
    control = _control(settings)
    status, answer = asyncio.run(_request(control, method, path, parameters, body))
    if status >= 400:  # noqa: PLR2004 - HTTP's own boundary
        fail(answer.get("error", "the running collector could not answer; its log says why"))
    return answer


def ask_along(
    settings: Settings, path: str, parameters: Mapping[str, str], begin: Callable[[int], Callable[[int], None]]
) -> dict[str, Any]:
    """Asks the running `serve` for something that takes long and answers with lines as it goes on.

    Args:
        settings: say which.
        path: of a route that is posted to.
        parameters: of the question.
        begin: told of `rows`; returns what is told of `done`.

    Returns:
        The last line; an error ends the program with its text.

    Raises:
        NoServerError: none runs.
    """
    answer = asyncio.run(_along(_control(settings), path, parameters, begin))
    if "error" in answer:
        fail(answer["error"])
    return answer


def reading_role(settings: Settings) -> Role:
    """The role of a verb that shows published counts: a server's user may be allowed nothing else."""
    return Role.SERVE if settings.store_url is None else Role.REPORTS


@contextmanager
def open_room(
    settings: Settings, role: Role = Role.SERVE, *, must_exist: bool = True, up_to_date: bool = True
) -> Iterator[StoreRoom]:
    """The store of a directory that no other process uses, with left-over spools sealed.

    Anything that keeps it from opening ends the program with a line that says so.

    Args:
        settings: say where.
        role: what is done there, and with it what the database's user has to be allowed.
        must_exist: whether a directory without data is a mistake.
        up_to_date: False to leave the tables as they are.
    """
    from collector.journal import Journal
    from collector.store.engine import EngineError
    from collector.store.lease import HeldByAnotherError
    from collector.store.migrate import NewerDatabaseError, OlderDatabaseError, OtherClusterError
    from collector.store.shared_pepper import OtherPepperError
    from collector.storeroom import open_store

    if must_exist and not Layout(settings.data.absolute()).engine.exists():
        fail(f"{settings.data} holds no collector data; `collector serve` or `collector simulate` makes some")
    logs.configure("text", "command", quiet=True)
    try:
        configuration = read_configuration(settings)
        paths = layout(settings)
        lock = hold(paths, _WAIT_SECONDS)
        try:
            for worker in filter(Path.is_dir, paths.spool.iterdir()):
                segment.prepare(worker)
                segment.recover(worker)
            with (
                closing(Journal(paths.access, this_user(), "command")) as journal,
                open_store(
                    settings, paths, configuration, role, up_to_date=up_to_date, note=journal.note_named
                ) as room,
            ):
                yield room
        finally:
            os.close(lock)
    except ConfigurationError as error:
        fail(*error.problems)
    except DirectoryInUseError as error:
        fail(f"{error}; wait for it to end, or stop it first")
    except (
        *(NewerDatabaseError, OlderDatabaseError, OtherClusterError),
        *(HeldByAnotherError, OtherPepperError, PepperError),
    ) as error:
        fail(str(error))
    except EngineError as error:
        fail(f"{error}; nothing is lost by trying again, and `collector doctor` says what waits")


def is_serving(paths: Layout) -> bool:
    """Whether a `serve` takes questions; one that is just starting is waited for."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not listens(paths.control):
        # Another command holds the directory, too, and never listens.
        if not is_held(paths) or time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _control(settings: Settings) -> str:
    """The control socket of the running `serve`.

    Raises:
        NoServerError: none runs.
    """
    paths = Layout(settings.data.absolute())
    if not is_serving(paths):
        raise NoServerError
    return os.fspath(paths.control)


async def _along(
    control: str, path: str, parameters: Mapping[str, str], begin: Callable[[int], Callable[[int], None]]
) -> dict[str, Any]:
    import aiohttp

    limit = aiohttp.ClientTimeout(total=None)
    line: dict[str, Any] = {}
    advance: Callable[[int], None] = lambda _: None  # noqa: E731 - until it has begun
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(control), timeout=limit) as session,
            session.post(f"http://collector{path}", params=parameters) as response,
        ):
            async for content in response.content:
                line = json.loads(content)
                if "done" in line:
                    advance(line["done"])
                elif line.keys() == {"rows"}:
                    advance = begin(line["rows"])
    except aiohttp.ClientConnectorError as error:
        raise NoServerError from error
    except (aiohttp.ClientError, ValueError):
        fail("the running collector stopped answering; its log says why")
    return line


async def _request(
    control: str, method: str, path: str, parameters: Mapping[str, str] | None, body: Mapping[str, Any] | None
) -> tuple[int, dict[str, Any]]:
    import aiohttp

    # Publishing may take long; everything else that takes long hangs.
    limit = aiohttp.ClientTimeout(total=_ANSWER_SECONDS if method == "GET" else None)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(control), timeout=limit) as session,
            session.request(method, f"http://collector{path}", params=parameters, json=body) as response,
        ):
            content = await response.json() if response.content_type == "application/json" else {}
            return response.status, content
    except aiohttp.ClientConnectionError as error:
        raise NoServerError from error
    except TimeoutError:
        fail(f"the running collector has not answered in {_ANSWER_SECONDS} seconds; `collector doctor` says more")
