"""Where a verb gets published counts from: a collector at an address, the running `serve`, or the directory itself.

All three give the same bytes for the same question.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from collector.cli.main import fail
from collector.cli.open import is_serving, open_room, reading_role
from collector.cli.options import STORE, with_settings
from collector.cli.remote import TOKEN_VARIABLE, NobodyAnswersError, Place, RefusedError, ask, read_token, read_url
from collector.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from collector.reports.hiding import IsHidden
    from collector.reports.library import Library
    from collector.settings import Settings

    Ask = Callable[[str, Mapping[str, str]], bytes]
    """The answer to GET of a path with parameters; RefusedError if it cannot be asked."""

_LOCAL = ("data", *STORE)


def with_published(verb: Callable[..., None]) -> Callable[..., None]:
    """Gives a verb the options that say where the counts are.

    The verb is called with `published`, which opens to a function that answers (see `Ask`), and its own options.
    """

    def with_local(settings: Settings, **own: Any) -> None:  # noqa: ANN401 - any option
        verb(published=_here(settings), **own)

    # Options of the verb's own were collected by click in this attribute.
    with_local.__click_params__ = getattr(verb, "__click_params__", [])  # type: ignore[attr-defined]
    local = with_settings(*_LOCAL)(with_local)

    def run(url: str | None, token_file: Path | None, **options: Any) -> None:  # noqa: ANN401 - any option
        # Out of the environment: settings know every COLLECTOR_ variable but this one, and no child is to have it.
        variable = os.environ.pop(TOKEN_VARIABLE, "")
        if url is None:
            if token_file is not None:
                fail("--token-file: is for a collector that is asked with --url")
            local(**options)
            return
        _refuse_both()
        place = Place(read_url(url), read_url(url), token=read_token(token_file, variable))
        own = {name: value for name, value in options.items() if name not in {*_LOCAL, "config"}}
        verb(published=_there(place), **own)

    run.__doc__, run.__name__ = verb.__doc__, verb.__name__
    remote = [
        click.Option(["--url"], metavar="URL", help="Ask the collector at this address, not a directory."),
        click.Option(
            ["--token-file"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"File with the token for --url.  [default: the variable {TOKEN_VARIABLE}]",
        ),
    ]
    # click shows them the other way round: own options, then where to ask, then the settings.
    settings_of_local = getattr(local, "__click_params__", [])
    own = getattr(verb, "__click_params__", [])
    run.__click_params__ = [*settings_of_local[: -len(own) or None], *reversed(remote), *own]  # type: ignore[attr-defined]
    return run


def _refuse_both() -> None:
    source = click.get_current_context().get_parameter_source
    given = [name for name in (*_LOCAL, "config") if source(name) is ParameterSource.COMMANDLINE]
    if given:
        fail(f"--url asks another collector: leave out {', '.join('--' + name.replace('_', '-') for name in given)}")


@contextmanager
def _there(place: Place) -> Iterator[Ask]:
    def answer(path: str, parameters: Mapping[str, str]) -> bytes:
        try:
            return ask(place, path, parameters)
        except NobodyAnswersError as error:
            fail(str(error))

    yield answer


@contextmanager
def _here(settings: Settings) -> Iterator[Ask]:
    paths = Layout(settings.data.absolute())
    serving = Place("the running collector", "http://collector", socket=os.fspath(paths.control))
    if is_serving(paths):
        with _there(serving) as answer:
            yield answer
        return
    with _library(settings) as library:
        yield partial(_answer, library)


@contextmanager
def _library(settings: Settings) -> Iterator[Library]:
    from collector.configuration import read_configuration
    from collector.reports.library import Library

    with open_room(settings, reading_role(settings)) as room, _hidden(settings) as is_hidden:
        yield Library(
            room.released,
            room.publisher.rules,
            catalogue=lambda: read_configuration(settings).catalogue,
            is_hidden=is_hidden,
            simulated=room.paths.simulated.exists(),
        )


@contextmanager
def _hidden(settings: Settings) -> Iterator[IsHidden]:
    """Which values administrators hid; where nobody ever did, no file is made to ask."""
    from collector.cli.ledger import ledger_of
    from collector.reports.access.hidden import HiddenValues
    from collector.reports.hiding import nothing_hidden

    if not Layout(settings.data.absolute()).access.exists():
        yield nothing_hidden
        return
    with ledger_of(settings) as ledger:
        yield HiddenValues(ledger).is_hidden


def _answer(library: Library, path: str, parameters: Mapping[str, str]) -> bytes:
    from collector.reports.formats import written
    from collector.reports.question import UsageError, read_question

    if path == "/v1/products":
        return json.dumps(library.products()).encode() + b"\n"
    try:
        question = read_question(parameters)
        return written(library.usage(question), question.form, library.released)
    except UsageError as error:
        raise RefusedError(str(error)) from None
