"""`collector check`."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import click

from collector.settings import read_settings
from schemas.problems import ConfigurationError


@click.command("check")
@click.option("--data", metavar="DIR", help="Data directory; products added in it are checked too.  [default: data]")
@click.option("--policy", metavar="FILE", help="The privacy policy.  [default: the shipped one]")
@click.option("--catalogue", metavar="FILE", help="The products that may report.  [default: the shipped one]")
@click.option("--menu", metavar="FILE", help="The published tables.  [default: the shipped one]")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Judge the permits as they will stand on this day.  [default: today, UTC]",
)
def command(config: Path | None, form: str, day: dt.datetime | None, **files: str | None) -> None:
    """Check policy, catalogue, schemas, examples, menu and settings.

    Lists every problem at once and ends with exit code 1 if there is any. A permit that expires within 60 days is a
    warning and changes no exit code; one that has expired is a problem. Starts nothing, stores nothing.

    \b
    collector check --policy policy.toml
    collector check --on 2029-01-01        # what will have to be reviewed by then
    """
    from collector import check
    from collector.configuration import read_configuration

    found: list[str] = []
    try:
        settings = read_settings(config, **files)
    except ConfigurationError as error:
        # The other files are checked with what is shipped in place of the settings that cannot be read.
        found += error.problems
        own = {n: os.environ.pop(n) for n in list(os.environ) if n.startswith("COLLECTOR_")}
        settings = read_settings(None, **files)
        os.environ.update(own)
    found += check.problems(settings)
    due = check.permit_reviews(settings, (day or dt.datetime.now(dt.UTC)).date())
    found += due.problems
    if form == "json":
        click.echo(json.dumps({"problems": found, "warnings": due.warnings}))
        raise SystemExit(1 if found else 0)
    if found:
        for problem in found:
            click.echo(problem)
        click.echo(f"{len(found)} problem{'s' if len(found) > 1 else ''}")
    else:
        numbers = check.summary(read_configuration(settings))
        click.echo(
            f"no problems: {numbers['permits']} permits of {numbers['policy']}, {numbers['products']} products, "
            f"{len(numbers['reports'])} reports, {numbers['tables']} tables, {numbers['examples']} examples"
        )
    for warning in due.warnings:
        click.echo(f"warning: {warning}")
    if found:
        raise SystemExit(1)
