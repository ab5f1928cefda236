"""`collector policy`: what may leave a machine, and what a change of it would mean."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.cli.main import fail
from collector.cli.options import STORE, with_settings
from schemas.policy import SHIPPED_POLICY, Policy, load_policy
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings
    from schemas.policy_changes import Change

SHIPPED, IN_USE = "shipped", "in-use"
_REVISION = re.compile(r"revision-([0-9]{1,6})")
_FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines."
)
_DATA = click.option(
    "--data", default="data", metavar="DIR", show_default=True, help=f"Where `{IN_USE}` is looked for."
)


@click.group("policy")
def command() -> None:
    """Show what may leave a machine, and what changes from one policy to another.

    \b
    collector policy show
    collector policy show policy.toml
    collector policy diff shipped policy.toml
    collector policy diff --data DIR in-use policy.toml
    collector policy purge language --data DIR

    The policy is a file (`schemas/policy.toml`, or the one that the setting `policy` names). A changed file holds after
    `collector reload`; `collector check` says before whether it can be used.
    """


@command.command("diff", short_help="What changes from one policy to another, in plain words.")
@click.argument("before")
@click.argument("after")
@_FORMAT
@_DATA
def diff(before: str, after: str, form: str, data: str) -> None:
    """Say what changes from policy BEFORE to policy AFTER, in plain words.

    \b
    collector policy diff shipped policy.toml
    collector policy diff old.toml new.toml --format json

    A policy is a file, `shipped`, `revision-2` (an earlier state of the shipped one), or `in-use`: what `collector
    serve --data DIR` works with. Told are fields that may leave a machine and those that no longer may, where from, by
    which paragraph, for what, how long; paragraphs that are new, gone or reworded; contact and date. Exit code 0 with
    and without changes, 2 if a policy cannot be read.
    """
    from schemas.policy_changes import changes, notes

    old, new = _policies(data, before, after)
    found = changes(old, new)
    told = notes(old, new, found)
    if form == "json":
        policies = {"before": _identity(before, old), "after": _identity(after, new)}
        click.echo(json.dumps({**policies, "changes": [asdict(one) for one in found], "notes": told}))
        return
    click.echo(f"from {before}: {_named(old)}\nto   {after}: {_named(new)}\n")
    for line in _as_text(found):
        click.echo(line)
    for note in told:
        click.echo(f"note: {note}")


@command.command("show", short_help="Every field that may leave a machine, with its terms.")
@click.argument("which", default=SHIPPED, metavar="[POLICY]")
@_FORMAT
@_DATA
def show(which: str, form: str, data: str) -> None:
    """Show every field that POLICY permits, by which paragraph, for what, how long, and when it is reviewed.

    \b
    collector policy show
    collector policy show --data DIR in-use
    """
    (policy,) = _policies(data, which)
    if form == "json":
        permits = [permit.model_dump(mode="json") for permit in policy.permits_]
        click.echo(json.dumps({"policy": _identity(which, policy), "permits": permits}))
        return
    from collector.cli.table import show_table

    columns = ("field", "from", "paragraph", "kept, days", "reviewed", "until", "owner")
    rows = [
        (
            permit.field + " (withdrawn)" * permit.withdrawn,
            ", ".join(permit.sources),
            permit.clause,
            str(permit.retention_days),
            permit.last_review.isoformat(),
            _until(permit.expires),
            permit.owner,
        )
        for permit in policy.permits_
    ]
    show_table(columns, rows, frozenset({"kept, days"}))
    click.echo(f"{_named(policy)}; {len(policy.clauses)} paragraphs, contact {policy.contact}")


@command.command("purge")
@click.argument("field")
@_FORMAT
@with_settings("data", *STORE, "policy")
def purge(settings: Settings, field: str, form: str) -> None:
    """Leave a withdrawn FIELD empty in all rows that came before it was withdrawn.

    In the store, in this machine's spool and in its quarantine; the reports still count. A field that the policy still
    permits is refused: withdraw it first (`withdrawn = true`), then `collector reload`. Published counts stay as they
    are. After a restore, run it again.

    \b
      collector policy purge language --data DIR

    Exit code 3: rows from before may still come in; it says from where. Run it again then.
    """
    from collector.cli.ledger import note_done
    from collector.cli.open import NoServerError, ask

    try:
        answer = ask(settings, "POST", "/policy/purge", {"field": field})
    except NoServerError:
        answer = _purge_here(settings, field)
    note_done(settings, "field_purged", f"{field}, request {answer['request']}")
    click.echo(json.dumps(answer) if form == "json" else _purged(field, answer))
    if answer["pending"]:
        raise SystemExit(3)


def _purged(field: str, answer: dict[str, Any]) -> str:
    rows = answer["rows"]
    emptied = (
        f"{field} from {', '.join(answer['sources'])}: emptied in {rows['store']:,} rows of the store, "
        f"{rows['spool']:,} of the spool, {rows['quarantine']:,} of the quarantine ({answer['request']})"
    )
    lines = [emptied]
    if answer["unreadable"]:
        lines.append(
            f"{answer['unreadable']:,} lines of the quarantine are not readable and stay; `quarantine drop` ends them"
        )
    lines += [f"pending: {what}; run it again then" for what in answer["pending"]]
    return "\n".join(lines)


def _purge_here(settings: Settings, field: str) -> dict[str, Any]:
    from collector.cli.open import open_room
    from collector.configuration import read_configuration
    from collector.licence_commands import shown_purge
    from collector.purging import NotWithdrawnError, sources_of
    from collector.purging import purge as purge_all
    from collector.store.erasing import OldPartsError

    try:
        sources = sources_of(read_configuration(settings).policy, field)
    except NotWithdrawnError as error:
        fail(str(error))
    except ConfigurationError as error:
        fail(*error.problems)
    with open_room(settings, must_exist=settings.store_url is None) as room:
        try:
            done = purge_all(room, field, sources, dt.datetime.now(dt.UTC).date())
        except OldPartsError as error:
            fail(f"{error}; run it again")
        except OSError as error:
            fail(f"a file could not be written: {error.strerror}; run it again")
        room.publisher.lease.give_up()
    return shown_purge(done)


def _policies(data: str, *names: str) -> list[Policy]:
    """The policies of these names; ends with every problem in them."""
    read, problems = [], []
    for name in names:
        try:
            read.append(_policy(name, data))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        fail(*problems)
    return read


def _policy(name: str, data: str) -> Policy:
    if name == IN_USE:
        from collector.configuration import accepted
        from collector.layout import Layout

        return accepted(Layout(Path(data).absolute())).policy
    recorded = _REVISION.fullmatch(name)
    if recorded:
        from schemas.record import revisions

        known = {policy.revision: policy for policy in revisions()}
        if int(recorded[1]) not in known:
            raise ConfigurationError([f"{name}: there are revision-{min(known)} to revision-{max(known)}"])
        return known[int(recorded[1])]
    return load_policy(SHIPPED_POLICY if name == SHIPPED else Path(name))


def _as_text(found: list[Change]) -> list[str]:
    from schemas.policy_changes import EFFECTS

    if not found:
        return ["no changes"]
    lines = []
    for effect, heading in EFFECTS.items():
        of_it = [f"  - {change.says}" for change in found if change.effect == effect]
        lines += [heading, *of_it, ""] if of_it else []
    return [*lines, f"{len(found)} change{'s' if len(found) > 1 else ''}"]


def _identity(name: str, policy: Policy) -> dict[str, Any]:
    told = policy.model_dump(mode="json", include={"id", "title", "dated", "contact", "url", "revision", "revised"})
    return {"name": name, **told}


def _named(policy: Policy) -> str:
    return f"{policy.title} ({policy.id}), of {policy.dated}, revision {policy.revision}"


def _until(expires: dt.date) -> str:
    return f"{expires} (expired)" if expires < dt.datetime.now(dt.UTC).date() else expires.isoformat()
