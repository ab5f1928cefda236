"""`collector export-trends`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.cli.export_directory import check_replaceable, replace_directory
from collector.cli.main import fail
from collector.cli.progress import progress
from collector.cli.published import with_published
from collector.cli.remote import RefusedError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from collector.cli.published import Ask
    from collector.reports.trends import Trends

_CLAUSE = "sharing.trends"


@click.command("export-trends")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--with-licences", is_flag=True, help="Export counts of licences too.")
@click.option("--licence", metavar="TEXT", help="What others may do with the files.  [default: a placeholder]")
@with_published
def command(published: AbstractContextManager[Ask], directory: Path, with_licences: bool, licence: str | None) -> None:
    """General usage trends as a web site and data files, for third parties.

    \b
    collector export-trends trends --data DIR
    collector export-trends /srv/www/trends --data DIR --licence "CC BY 4.0"
    collector export-trends trends --url https://telemetry.example.com

    Only released months, only numbers of 100 or more, rounded to two digits, with shares of versions, systems,
    instance types and languages. Hidden values are left out, and so are licences unless asked for. The same
    counts give the same files, byte for byte. DIR is made, or replaced if it holds an earlier export and
    nothing else; open DIR/index.html, or give it to any web server.
    """
    from collector.reports.trends import PACKAGE, PLACEHOLDER, Note
    from collector.reports.trends_page import site

    check_replaceable(directory, PACKAGE)
    told = _gather(published, with_licences=with_licences)
    with progress("writing", len(told.titles), "products") as advance:
        files = site(told, Note(licence or PLACEHOLDER, _policy()), advance)
    replace_directory(directory, files)
    click.echo(
        f"{len(told.titles)} products, {told.months[0]} to {told.months[-1]}, {len(told.rows):,} numbers in "
        f"{len(files)} files: {directory / 'index.html'}"
    )
    if licence is None:
        click.echo("note: say with --licence what others may do with them; until then a placeholder does", err=True)


def _gather(published: AbstractContextManager[Ask], *, with_licences: bool) -> Trends:
    """Asks everything that goes out; ends the program where there is nothing."""
    from collector.reports.trends import questions, trends

    asked = questions(with_licences=with_licences)
    answers: list[dict[str, Any]] = []
    why_not = ""
    with published as ask, progress("reading", len(asked), "tables") as advance:
        titles = {one["name"]: one["title"] for one in json.loads(ask("/v1/products", {}))["products"]}
        for parameters in asked:
            try:
                answers.append(json.loads(ask("/v1/usage", parameters)))
            except RefusedError as error:  # not on the menu, or nothing of it released yet
                why_not = why_not or str(error)
            advance(1)
    told = trends(answers, titles)
    if not told.rows:
        fail(f"there is nothing to export: {why_not or 'no number of a released month is large enough'}")
    return told


def _policy() -> dict[str, str]:
    """What the privacy policy says of this."""
    from schemas.policy import load_policy

    policy = load_policy()
    says = next(clause.says for clause in policy.clauses if clause.id == _CLAUSE)
    return {"title": policy.title, "url": policy.url, "clause": _CLAUSE, "says": says}
