"""Options of the verbs, made from the settings model: its descriptions are the help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from collector.cli.main import fail
from collector.settings import Settings, read_settings
from schemas.problems import ConfigurationError

# Where the reports are: what a verb needs to find them without a running `serve`.
STORE = ("store_url", "store_tables", "store_password_file", "store_timeout_seconds")

Decorated = Callable[..., None]
_CONFIG = click.Option(["--config", "config"], type=click.Path(path_type=Path), help="A TOML file of settings.")


def all_but(*prefixes: str) -> tuple[str, ...]:
    """The names of all settings but those that begin so."""
    return tuple(name for name in Settings.model_fields if not name.startswith(prefixes))


def with_settings(*names: str) -> Callable[[Decorated], Decorated]:
    """Gives a verb the options of these settings (all if none is named) and the settings they make.

    The verb is called with `settings` and with its own options.
    """
    chosen = names or tuple(Settings.model_fields)

    def decorate(verb: Decorated) -> Decorated:
        def run(config: Path | None, **options: Any) -> None:  # noqa: ANN401 - any setting
            own = {name: value for name, value in options.items() if name not in chosen}
            given = {name: value for name, value in options.items() if name in chosen}
            try:
                settings = read_settings(config, **given)
            except ConfigurationError as error:
                fail(*error.problems)
            verb(settings=settings, **own)

        run.__doc__, run.__name__ = verb.__doc__, verb.__name__
        # Options of the verb's own were collected by click in this attribute; they stand first in its help.
        own_options = getattr(verb, "__click_params__", [])
        run.__click_params__ = [_CONFIG, *reversed(_options(chosen)), *own_options]  # type: ignore[attr-defined]
        return run

    return decorate


def with_options_of(*names: str) -> Callable[[Decorated], Decorated]:
    """Gives a verb the options of these settings, and their values as they were given, None if not."""

    def decorate(verb: Decorated) -> Decorated:
        own_options = getattr(verb, "__click_params__", [])
        verb.__click_params__ = [*reversed(_options(names)), *own_options]  # type: ignore[attr-defined]
        return verb

    return decorate


def _options(names: tuple[str, ...]) -> list[click.Option]:
    options = []
    for name in names:
        field = Settings.model_fields[name]
        default = (
            "" if field.default in {None, ()} or name in {"policy", "catalogue"} else f"  [default: {field.default}]"
        )
        options.append(
            click.Option(
                [f"--{name.replace('_', '-')}", name],
                metavar=_metavar(name, field.annotation),
                help=f"{field.description}{default}",
            )
        )
    return options


def _metavar(name: str, annotation: object) -> str:
    if name == "data":
        return "DIR"
    if annotation in {int, float, int | None}:
        return "NUMBER"
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    return "FILE" if annotation in {Path, Path | None} else "TEXT"
