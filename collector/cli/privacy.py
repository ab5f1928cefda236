"""`collector privacy`."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import click

from collector.cli.main import fail
from collector.cli.options import with_settings
from collector.cli.table import show_table
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings

_WIDTH = 100


@click.command("privacy")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings(
    "menu", "profile", "policy", "catalogue", "most_epsilon_per_report", "most_epsilon_per_licence_month", "data"
)
def command(settings: Settings, form: str) -> None:
    """What the published counts can reveal about one report or licence, at the most.

    \b
    collector privacy                        with the shipped menu
    collector privacy --profile strict       with more noise
    collector privacy --menu my-menu.toml    before `collector serve --menu my-menu.toml`

    epsilon says how far everything that is published together can shift what somebody believes about one
    unit: by a factor of e^epsilon at the most, but for a chance of delta. "best guess" is the same as a
    game: how often somebody who knows everybody else's data is right about one unit being in the numbers;
    50 % is a coin. A menu that reveals more than `most_epsilon_per_report` or
    `most_epsilon_per_licence_month` is refused, here and by `collector serve`.
    """
    from collector.configuration import read_configuration
    from collector.publish.claim import claim
    from collector.publish.release import Rules

    try:
        configuration = read_configuration(settings)
    except ConfigurationError as error:
        fail(*error.problems)
    told = claim(Rules(configuration.menu, settings.profile))
    if form == "json":
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"profile {told['profile']}, menu {told['menu']}, k = {told['k']}, delta = {told['delta']:.0e}")
    columns = ("unit", "moves cells", "rho", "epsilon", "best guess")
    show_table(columns, [row for unit in told["units"] for row in _rows(unit)], frozenset(columns[1:]))
    for sentence in [*told["claims"], *told["limits"]]:
        click.echo(textwrap.fill(sentence, _WIDTH, initial_indent="- ", subsequent_indent="  "))
    _attacks(told["attacks"])


def _rows(unit: dict[str, Any]) -> list[tuple[str, ...]]:
    guess = f"{100 * unit['best_guess']:.0f} %"
    total = (unit["unit"], str(unit["cells"]), f"{unit['rho']:.4f}", f"{unit['epsilon']:.2f}", guess)
    parts = [
        (f"  {part['grain'].replace('_', ' ')}, sigma {part['sigma']}", str(part["cells"]), f"{part['rho']:.4f}")
        for part in unit["by_grain"]
    ]
    if unit["guard_rho"]:
        parts.append(("  guard against made-up values", "", f"{unit['guard_rho']:.4f}"))
    return [total, *((*part, "", "") for part in parts if len(parts) > 1)]


def _attacks(attacks: list[dict[str, Any]] | None) -> None:
    click.echo()
    if attacks is None:
        click.echo("Attack scores: none were measured with this menu and profile; `make test-attacks` measures them.")
        return
    click.echo("Attacks that were tried, and how often they were right (50 % is a coin):")
    rows = [
        (
            attack["name"],
            f"{100 * attack['score']:.1f} %",
            f"{100 * attack['bar']:.1f} %" if attack.get("bar") else "published",
            f"{100 * attack['control']:.1f} %" if attack.get("control") else "",
        )
        for attack in attacks
    ]
    columns = ("attack", "score", "bar", "against exact counts")
    show_table(columns, rows, frozenset(columns[1:]))
