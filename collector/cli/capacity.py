"""`collector capacity`."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from collector.cli.main import fail
from collector.cli.options import with_settings
from collector.cli.table import show_table
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings

_WIDTH = 100


@click.command("capacity")
@click.option("--reports-per-day", required=True, metavar="NUMBER", help="Accepted reports, as 50M, 2k or 5e6.")
@click.option("--products", metavar="NUMBER", help="Products that report.  [default: those of the catalogue]")
@click.option(
    "--retention",
    metavar="DAYS",
    help="Days that a counted report is kept at the most, as 40d.  [default: by policy and settings, 41d as shipped]",
)
@click.option("--peak-factor", default="3", show_default=True, metavar="NUMBER", help="Busiest hour against the mean.")
@click.option("--cores", default="2", show_default=True, metavar="NUMBER", help="Cores of a box.")
@click.option(
    "--target-utilisation",
    default="0.5",
    show_default=True,
    metavar="SHARE",
    help="How busy a box may be in the busiest hour; the rest is for bursts.",
)
@click.option("--share-new-tls", metavar="SHARE", help="Reports on a new TLS connection.  [default: all the others]")
@click.option("--share-new", metavar="SHARE", help="Reports on a new connection without TLS, as from a proxy.")
@click.option("--share-keepalive", metavar="SHARE", help="Reports on connections that are kept open.")
@click.option("--share-batch", metavar="SHARE", help="Reports in NDJSON batches.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("policy", "catalogue", "keep_after_release_days", "publish_at_the_latest_after_hours")
def command(settings: Settings, form: str, **given: str | None) -> None:
    """What a fleet needs: boxes, memory, disk, network, and how long a night takes.

    \b
    collector capacity --reports-per-day 2M
    collector capacity --reports-per-day 50M --products 200 --retention 40d --cores 8
    collector capacity --reports-per-day 50M --share-keepalive 1           behind a proxy that has the TLS
    collector capacity --reports-per-day 1B --cores 16 --format json | jq .needs.shards

    Worked out from costs that were measured, on a machine that the answer names: a starting point, to be
    watched. Nothing is read but policy and catalogue, and no collector has to run. A machine's first report
    after a boot comes on a new TLS connection; that is the default, and the dearest way.
    """
    from collector.capacity.costs import read_file
    from collector.capacity.model import needs
    from collector.capacity.question import read
    from collector.capacity.words import lines, verdict

    try:
        asked, permitted_days = _asked(settings, given)
        fleet, box = read(asked, permitted_days)
    except ConfigurationError as error:
        fail(*error.problems)
    file = read_file()
    costs = file.figures()
    needed = needs(fleet, box, costs)
    said = verdict(box, needed)
    if form == "json":
        asked_for = asdict(fleet) | {"box": asdict(box)}
        measured = file.model_dump(mode="json")
        click.echo(json.dumps({"verdict": said, "asked": asked_for, "needs": asdict(needed), "measured": measured}))
        return
    click.echo(textwrap.fill(said, _WIDTH))
    show_table(("what", "needed", "how it follows"), lines(fleet, box, needed, costs), frozenset({"needed"}))
    click.echo(textwrap.fill(f"Measured on {file.machine}; deploy/CAPACITY.md has each cost and its source.", _WIDTH))


def _asked(settings: Settings, given: dict[str, Any]) -> tuple[dict[str, str], int]:
    """The options' texts, with what policy, catalogue and settings decide, and the longest retention there may be."""
    from collector.configuration import limits_of
    from schemas.catalogue import load_catalogue
    from schemas.policy import load_policy

    policy = load_policy(settings.policy)
    limits = limits_of(settings, policy)
    if problem := limits.problem():
        fail(problem)
    decided = {"retention": f"{limits.counted_days}d"}
    if given["products"] is None:
        decided["products"] = str(len(load_catalogue(policy, settings.catalogue).products))
    return decided | {name: text for name, text in given.items() if text is not None}, limits.retention_days
