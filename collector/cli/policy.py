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
from schemas.policy import SHIPPED_POLICY, Policy, load_policy
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
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
