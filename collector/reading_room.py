"""The reports room put together for the store process: what readers may ask, and what they look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.configuration import accepted, fingerprint
from collector.reports.access.hidden import HiddenValues
from collector.reports.api import Api
from collector.reports.library import Library
from collector.reports.pages.site import Pages
from collector.reports.pages.visitor import visitor
from schemas.data_dictionary import data_dictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from collector.layout import Layout
    from collector.reports.access.ledger import Ledger
    from collector.storeroom import StoreRoom


@dataclass(frozen=True)
class ReadingRoom:
    """Routes of the reports port.

    Attributes:
        api: for programs; also for local commands.
        pages: for people.
        make_ready: makes the pages that people look at first, if something was released since; blocking, told
            how to see that it must stop.
    """

    api: list[web.RouteDef]
    pages: list[web.RouteDef]
    make_ready: Callable[[Callable[[], bool]], None]


def reading_room(room: StoreRoom, paths: Layout, ledger: Ledger) -> ReadingRoom:
    """The reports room of an open store."""
    moderated = HiddenValues(ledger)
    library = Library(
        room.released,
        room.publisher.rules,
        catalogue=lambda: accepted(paths).catalogue,
        is_hidden=moderated.is_hidden,
        simulated=paths.simulated.exists(),
    )

    def state() -> str:
        """Changes with anything that an answer is made of."""
        rules = f"{room.publisher.protection} {fingerprint(accepted(paths))} {library.simulated}"
        return f"{room.released.state()} {moderated.state()} {rules}"

    api = Api(library, state)
    pages = Pages(
        api,
        library,
        state,
        dictionary=lambda: data_dictionary(accepted(paths).policy),
        visitor=visitor,
        publish_after_minutes=room.settings.publish_after_minutes,
    )
    return ReadingRoom(api.routes(), pages.routes(), pages.make_ready)
