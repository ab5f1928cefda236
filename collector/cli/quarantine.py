"""`collector quarantine`: segments that the store could not read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import note_done, today
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings
from collector.layout import DirectoryInUseError, Layout, hold

if TYPE_CHECKING:
    from pathlib import Path

    from collector.settings import Settings
    from collector.store.quarantine import SetAside

_WAIT_SECONDS = 10
_form = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines."
)
Decorated = Callable[..., None]


@click.group("quarantine")
def command() -> None:
    """Look at, load again or give up what the store could not read.

    \b
    collector quarantine list --data DIR
    collector quarantine retry --data DIR --all
    collector quarantine retry --data DIR w0.2026-10-31.1f2e3d4c-000007
    collector quarantine drop --data DIR w0.2026-10-31.1f2e3d4c-000007

    A segment (a file of accepted reports) that the store cannot parse is set aside, so that it holds up
    nothing. That is a fault of this program or of the disk, never of a client: retry after an update, and
    look at the segment's code in the log. All commands work beside a running `collector serve` and without one.
    """


def _chosen(verb: Decorated) -> Decorated:
    """NAME... or --all."""
    everything = click.option("--all", "everything", is_flag=True, help="Every segment in quarantine.")
    return click.argument("names", metavar="[NAME]...", nargs=-1)(everything(verb))


@command.command("list", short_help="List the segments in quarantine.")
@_form
@with_settings("data", *STORE)
def list_(settings: Settings, form: str) -> None:
    """List the segments in quarantine.

    \b
    collector quarantine list --data DIR
    collector quarantine list --data DIR --format json | jq -r '.segments[].name'

    `code` is the error code of ClickHouse, the store's engine; what a segment holds is not shown.
    """
    from collector.store.quarantine import dropped_rows

    found, dropped = _segments(settings), dropped_rows(_paths(settings).quarantine, today())
    if form == "json":
        click.echo(json.dumps({"segments": [_as_json(one) for one in found], "dropped": dropped}))
        return
    if found:
        from collector.cli.table import show_table

        columns = ("name", "received on", "reports", "bytes", "here since", "code")
        rows = [
            (one.name, str(one.day), f"{one.rows:,}", f"{one.bytes:,}", str(one.since), str(one.code or "unknown"))
            for one in found
        ]
        show_table(columns, rows, frozenset({"reports", "bytes", "code"}))
    else:
        click.echo("quarantine is empty")
    if dropped:
        click.echo(f"{_reports(dropped)} given up earlier")


@command.command("retry", short_help="Load segments again.")
@_chosen
@_form
@with_settings("data", *STORE)
def retry(settings: Settings, names: tuple[str, ...], everything: bool, form: str) -> None:
    """Load segments again.

    \b
    collector quarantine retry --data DIR --all
    collector quarantine retry --data DIR w0.2026-10-31.1f2e3d4c-000007

    Where a segment as a whole cannot be read, the lines that cannot are found and stay; all others are
    loaded. Nothing is lost, and nothing counts twice. Ends with exit code 1 if any report stays.
    """
    results = _on_each(settings, _choose(settings, names, everything), "retry", _retry_here)
    for result in results:
        note_done(settings, "quarantine_retried", f"{result['name']}, {_reports(result['loaded'])} loaded")
    left = sum(result["left"] for result in results)
    if form == "json":
        click.echo(json.dumps({"segments": results}))
    else:
        for result in results:
            text = f"{result['name']}: {_reports(result['loaded'])} loaded"
            click.echo(text + (f", {result['left']:,} left in quarantine" if result["left"] else ""))
        if left:
            click.echo("the store cannot read what is left: retry after an update, or give it up (quarantine drop)")
    if left:
        raise SystemExit(1)


@command.command("drop", short_help="Give segments up.")
@_chosen
@click.option("--yes", is_flag=True, help="Do not ask.")
@_form
@with_settings("data", *STORE)
def drop(settings: Settings, names: tuple[str, ...], everything: bool, yes: bool, form: str) -> None:
    """Give segments up: their reports are deleted and never counted.

    \b
    collector quarantine drop --data DIR w0.2026-10-31.1f2e3d4c-000007
    collector quarantine drop --data DIR --all --yes

    Asks before it deletes. How many were given up stays in `collector status`.
    """
    chosen = _choose(settings, names, everything)
    if chosen and not yes:
        if not sys.stdin.isatty():
            fail("this deletes accepted reports for good; a script confirms that with --yes")
        rows = _reports(sum(one.rows for one in chosen))
        question = f"Give up {rows} in {len(chosen)} segment{'s' if len(chosen) > 1 else ''} for good?"
        click.confirm(question, abort=True)
    results = _on_each(settings, chosen, "drop", _drop_here)
    for result in results:
        note_done(settings, "quarantine_dropped", f"{result['name']}, {_reports(result['dropped'])}")
    if form == "json":
        click.echo(json.dumps({"segments": results}))
        return
    for result in results:
        click.echo(f"{result['name']}: {_reports(result['dropped'])} given up")


def _choose(settings: Settings, names: tuple[str, ...], everything: bool) -> list[SetAside]:
    """The segments that were named; the first mistake ends the program before anything is done."""
    if bool(names) == everything:
        fail("name segments, or give --all; `collector quarantine list` shows them")
    found = {one.name: one for one in _segments(settings)}
    if everything:
        if not found:
            click.echo("quarantine is empty", err=True)
        return list(found.values())
    wanted = dict.fromkeys(name.removesuffix(".ndjson") for name in names)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        fail(*(f"{name}: is not in quarantine; `collector quarantine list` shows what is" for name in unknown))
    return [found[name] for name in wanted]


def _on_each(
    settings: Settings, chosen: list[SetAside], verb: str, here: Callable[[Settings, list[Path]], list[dict[str, int]]]
) -> list[dict[str, Any]]:
    """Has the running `serve` do it, segment by segment, or does it on a directory that nobody serves."""
    if not chosen:
        return []
    try:
        answers = [ask(settings, "POST", f"/quarantine/{verb}", {"name": one.name}) for one in chosen]
    except NoServerError:
        answers = here(settings, [one.path for one in chosen])
    return [{"name": one.name, **answer} for one, answer in zip(chosen, answers, strict=True)]


def _retry_here(settings: Settings, paths: list[Path]) -> list[dict[str, int]]:
    import dataclasses

    from collector.store.retry import retry as try_again

    with open_room(settings) as room:
        return [dataclasses.asdict(try_again(room.engine, path)) for path in paths]


def _drop_here(settings: Settings, paths: list[Path]) -> list[dict[str, int]]:
    """Needs no engine: what the store cannot read can be given up even if it does not open."""
    from collector import logs
    from collector.store.quarantine import drop as give_up

    logs.configure("text", "command", quiet=True)
    try:
        lock = hold(_paths(settings), _WAIT_SECONDS)
    except DirectoryInUseError as error:
        fail(f"{error}; wait for it to end, or stop it first")
    try:
        return [{"dropped": give_up(path, today())} for path in paths]
    finally:
        os.close(lock)


def _segments(settings: Settings) -> list[SetAside]:
    from collector.store.quarantine import set_aside_segments

    paths = _paths(settings)
    if not paths.spool.exists() and not paths.engine.exists():
        fail(f"{settings.data} holds no collector data; `collector serve` or `collector simulate` makes some")
    return set_aside_segments(paths.quarantine)


def _paths(settings: Settings) -> Layout:
    return Layout(settings.data.absolute())


def _reports(number: int) -> str:
    return f"{number:,} report{'' if number == 1 else 's'}"


def _as_json(one: SetAside) -> dict[str, Any]:
    return {
        "name": one.name,
        "received_on": one.day.isoformat(),
        "reports": one.rows,
        "bytes": one.bytes,
        "since": one.since.isoformat(),
        "code": one.code,
    }
