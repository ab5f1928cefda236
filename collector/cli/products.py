"""`collector products`: which products may report, changed while running."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.options import with_settings
from collector.cli.take_up import say_taken_up
from collector.configuration import fingerprint, in_use, read_configuration
from collector.control import NoAnswerError, ask
from collector.layout import Layout, is_held
from schemas.catalogue import Catalogue, Product
from schemas.problems import ConfigurationError, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.configuration import Configuration
    from collector.settings import Settings

FILES = ("data", "policy", "catalogue", "menu")
_SOURCES = ["vm", "cloud", "container", "installbuilder"]
_SECONDS_FOR_SETTINGS = 5


@click.group("products")
def command() -> None:
    """List, add and remove products, without a restart.

    \b
    collector products list --data DIR
    collector products add --data DIR acme-cms --title "Acme CMS" --source vm --source cloud
    collector products remove --data DIR acme-cms

    Reports of a product that is not listed are refused, so add it before its launch day. What is added
    here stands in DIR/products.toml, beside the configured catalogue (--catalogue), which stays as it is.
    """


@command.command("list", short_help="List every product that may report.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings(*FILES)
def list_(settings: Settings, form: str) -> None:
    """List every product that may report; those added while running are marked.

    \b
    collector products list --data DIR
    collector products list --data DIR --format json | jq -r '.products[] | select(.added) | .name'
    """
    from collector.added_products import added_products

    settings, paths = as_served(settings), _paths(settings)
    with _problems_said():
        configuration = read_configuration(settings)
        products, added = configuration.catalogue.products, added_products(paths)
    if form == "json":
        click.echo(json.dumps({"products": [_as_json(n, p, added=n in added) for n, p in products.items()]}))
    else:
        from collector.cli.table import show_table

        columns = ("name", "title", "report", "sources", "version line", "added")
        show_table(columns, ((name, *_cells(product), "added" * (name in added)) for name, product in products.items()))
        click.echo(f"{len(products)} products, {len(added)} of them added in {paths.added_products}")
    if is_held(paths) and in_use(paths) not in {None, fingerprint(configuration)}:
        click.echo("note: the running collector has not taken all of this up; its log says why", err=True)


@command.command("add", short_help="Let a product report.")
@click.argument("name")
@click.option("--title", required=True, help="The product's name as people write it.")
@click.option("--source", "sources", multiple=True, required=True, type=click.Choice(_SOURCES), help="Repeatable.")
@click.option(
    "--report", type=click.Choice(["image-boot", "installbuilder-run"]), default="image-boot", show_default=True
)
@click.option(
    "--version-line-parts",
    type=int,
    default=2,
    show_default=True,
    help="How many leading numbers of a version make its line: 2 cuts 6.4.2-0 to 6.4.",
)
@click.option("--version", "versions", multiple=True, help="A version about to come out; repeatable, see below.")
@with_settings(*FILES)
def add(settings: Settings, name: str, sources: tuple[str, ...], versions: tuple[str, ...], **entry: str | int) -> None:
    """Let a product report.

    \b
    collector products add --data DIR acme-cms --title "Acme CMS" --source vm --source cloud
    collector products add --data DIR acme-db --title "Acme DB" --source container --version-line-parts 1

    NAME is what its clients send: lower-case letters, digits and single hyphens. A running `collector
    serve` takes it up at once, without dropping a connection; the command waits until it has.

    A product may bring only so many new values in a day (--new-values-per-day of `collector serve`);
    a version named with --version is never held back by that, so name those of a launch.
    """
    from collector.added_products import added_products, write

    settings = as_served(settings)
    with _editing(settings) as paths:
        configuration = read_configuration(settings)
        product = _product(
            configuration, name, entry | {"sources": tuple(dict.fromkeys(sources)), "versions": versions}
        )
        there = configuration.catalogue.products.get(name)
        if there is None:
            write(paths, name, product)
            note_done(settings, "product_added", name)
            click.echo(f"{name} is added in {paths.added_products}")
        elif name not in added_products(paths):
            fail(f"{name}: is in the configured catalogue already, {settings.catalogue}")
        elif there != product:
            fail(f"{name}: was added before, and differently; remove it first: collector products remove {name}")
        else:
            click.echo(f"{name} was added before")
    say_taken_up(settings)


@command.command("remove", short_help="Let an added product report no longer.")
@click.argument("name")
@with_settings(*FILES)
def remove(settings: Settings, name: str) -> None:
    """Let a product report no longer that was added with `collector products add`.

    \b
    collector products remove --data DIR acme-cms

    Its reports are refused from now on. Those already stored stay and are counted and published as before.
    """
    from collector.added_products import added_products, erase

    settings = as_served(settings)
    with _editing(settings) as paths:
        if name not in added_products(paths):
            fail(f"{name}: is not among the added products; one of the catalogue is taken out of {settings.catalogue}")
        erase(paths, name)
        note_done(settings, "product_removed", name)
    click.echo(f"{name} is removed; reports of it that are stored already stay and count")
    say_taken_up(settings)


def _product(configuration: Configuration, name: str, entry: dict[str, Any]) -> Product:
    """The product, judged by the same rules as one in a file; every problem ends the program."""
    try:
        product = Product(policy=configuration.policy.id, **entry)
    except ValidationError as error:
        fail(*(f"product {name}: {line}" for line in describe(error)))
    problems = Catalogue(products={name: product}).problems(configuration.policy)
    if problems:
        fail(*problems)
    return product


def as_served(settings: Settings) -> Settings:
    """The settings with the files that a running `serve` works with, whatever was given to this command."""
    paths = _paths(settings)
    if not is_held(paths):
        return settings
    try:
        answer = ask(paths.control, "/settings", _SECONDS_FOR_SETTINGS)
    except NoAnswerError:
        return settings
    files = {name: Path(answer[name]) if answer[name] else None for name in FILES if name in answer}
    return settings.model_copy(update=files)


@contextmanager
def _editing(settings: Settings) -> Iterator[Layout]:
    """The directory, while no other command changes its products."""
    from collector.added_products import editing

    paths = _paths(settings)
    if not any(path.exists() for path in (paths.lock, paths.spool, paths.engine)):
        fail(f"{settings.data} holds no collector data; `collector serve` or `collector simulate` makes some")
    with _problems_said(), editing(paths):
        yield paths


@contextmanager
def _problems_said() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        fail(*error.problems)


def _paths(settings: Settings) -> Layout:
    return Layout(settings.data.absolute())


def _cells(product: Product) -> tuple[str, ...]:
    parts = product.version_line_parts
    return product.title, product.report, ", ".join(product.sources), f"{parts} part{'s' if parts > 1 else ''}"


def _as_json(name: str, product: Product, *, added: bool) -> dict[str, Any]:
    return {"name": name, **product.model_dump(mode="json"), "added": added}
