"""`collector releases`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from collector.cli.open import NoServerError, ask, open_room, reading_role
from collector.cli.options import STORE, with_settings
from collector.cli.table import show_table

if TYPE_CHECKING:
    from collector.settings import Settings

_MOST = 1000


@click.command("releases")
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="The latest so many.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE)
def command(settings: Settings, most: int, form: str) -> None:
    """What was released, when, and by which rules.

    A period is released once and never changes. `all loaded` is "no" where a spool had not loaded past it. The
    rules are k (fewest units behind a number), the gate above it in sigma, and the sigma of the noise for
    reports, licences and the open day so far; menu and profile name them.
    """
    try:
        answer = ask(settings, "GET", "/v1/releases")
    except NoServerError:
        from collector.publish.released import told

        with open_room(settings, reading_role(settings)) as room:
            answer = {"releases": [told(release) for release in room.released.releases(_MOST)]}
    releases = answer["releases"][:most]
    if form == "json":
        click.echo(json.dumps({"releases": releases}, indent=2))
    elif not releases:
        click.echo("nothing is released yet: a day is released once it has ended and is closed")
    else:
        columns = ("period", "grain", "released on", "all loaded", "rules", "menu", "program")
        show_table(columns, [_row(release) for release in releases])
        if len(answer["releases"]) > len(releases):
            more = len(answer["releases"]) - len(releases)
            click.echo(f"... and {more} more; --most {len(answer['releases'])} shows all")


def _row(release: dict[str, Any]) -> tuple[str, ...]:
    sigmas = "/".join(str(release[name]) for name in ("report_sigma", "licence_sigma", "so_far_sigma"))
    return (
        release["period"],
        release["grain"].replace("_", " "),
        release["released_on"],
        "yes" if release["complete"] else "no",
        f"{release['profile']}: k {release['k']}, gate {release['gate_sigmas']}, sigma {sigmas}",
        release["menu"],
        release["code_version"],
    )
