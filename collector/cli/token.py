"""`collector token`: who may read the published counts over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import day, ledger_of, now, this_user
from collector.cli.main import fail
from collector.cli.options import with_settings

if TYPE_CHECKING:
    from collector.reports.access.identity import Role
    from collector.reports.access.tokens import Token
    from collector.settings import Settings

_MOST_DAYS = 3_650
_FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines."
)


@click.group("token")
def command() -> None:
    """Make, list and revoke the tokens that people and scripts read counts with.

    \b
    collector token create alice --data DIR
    collector token list --data DIR
    collector token revoke alice --data DIR

    A person signs in to the dashboard with a token; a script sends `Authorization: Bearer TOKEN`. Give each
    its own, so that the audit trail tells them apart and one can be revoked alone.
    """


@command.command("create", short_help="Make a token; it is shown this once.")
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "admin"]), default="viewer", show_default=True)
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), default=365, show_default=True, help="How long it lives.")
@_FORMAT
@with_settings("data")
def create(settings: Settings, name: str, role: Role, days: int, form: str) -> None:
    """Make a token. Standard output gets the token alone, this once; what it is goes to standard error.

    \b
    collector token create alice --data DIR
    TOKEN=$(collector token create weekly-report --days 90 --data DIR)
    collector token create bob --role admin --data DIR --format json | jq -r .token

    NAME says whose it is: up to 64 letters, digits and . _ @ + -, beginning with a letter. Viewers read counts;
    admins also see the pages for administrators. Only a hash of the token is kept: a lost one is revoked and
    replaced. Works beside a running `collector serve`, at once.
    """
    from collector.reports.access import tokens

    with ledger_of(settings) as ledger:
        try:
            token, secret = tokens.create(ledger, name, role, days, now(), this_user())
        except tokens.TokenError as error:
            fail(str(error))
    if form == "json":
        click.echo(json.dumps({**_told(token), "token": secret}))
        return
    click.echo(f"a token for {name} ({role}, until {day(token.expires_at)}), shown this once:", err=True)
    click.echo(secret)


@command.command("list", short_help="List all tokens, never the tokens themselves.")
@_FORMAT
@with_settings("data")
def list_(settings: Settings, form: str) -> None:
    """List all tokens: whose, role, until when, last used; those that ended stay listed for 13 months.

    \b
    collector token list --data DIR
    collector token list --data DIR --format json | jq -r '.tokens[] | select(.live) | .name'
    """
    from collector.cli.table import show_table
    from collector.reports.access import tokens

    with ledger_of(settings) as ledger:
        told = [_told(token) for token in tokens.every(ledger)]
    if form == "json":
        click.echo(json.dumps({"tokens": told}))
    elif not told:
        click.echo("there are no tokens; collector token create NAME makes one")
    else:
        columns = ("id", "name", "role", "created", "expires", "last used", "state")
        show_table(columns, (_row(token) for token in told))


@command.command("revoke", short_help="End a token and all that is signed in with it.")
@click.argument("which", metavar="NAME|ID")
@with_settings("data")
def revoke(settings: Settings, which: str) -> None:
    """End a token, at once, and all that is signed in with it. The name is free for a new one then.

    \b
    collector token revoke alice --data DIR
    collector token revoke 3 --data DIR
    """
    from collector.reports.access import tokens

    with ledger_of(settings) as ledger:
        token = tokens.revoke(ledger, which, now(), this_user())
    if token is None:
        fail("there is no live token of that name or id; `collector token list` has them all")
    click.echo(f"the token of {token.name} (id {token.id}) opens nothing any more")


def _told(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "created_on": day(token.created_at),
        "expires_on": day(token.expires_at),
        "last_used_on": token.last_used_on,
        "revoked_on": day(token.revoked_at) if token.revoked_at is not None else None,
        "live": token.is_live(now()),
    }


def _row(token: dict[str, Any]) -> tuple[str, ...]:
    state = "live" if token["live"] else f"revoked {token['revoked_on']}" if token["revoked_on"] else "expired"
    used = token["last_used_on"] or "never"
    return str(token["id"]), token["name"], token["role"], token["created_on"], token["expires_on"], used, state
