"""`collector forget`."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import note_done
from collector.cli.licence_key import read_pseudonyms
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.settings import Settings
    from collector.storeroom import StoreRoom


@click.command("forget")
@click.option("--pending", is_flag=True, help="Go on with the requests that are not done; reads no key.")
@click.option(
    "--backups-kept-days",
    "kept_days",
    type=click.IntRange(0),
    default=0,
    help="How long backups are kept, where that is not known here: longer than 7 days, or taken on another machine.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE)
def command(settings: Settings, form: str, kept_days: int, *, pending: bool) -> None:
    """Erase all that is held about a licence, and keep it erased.

    The key comes on standard input, never as an argument, and is kept nowhere. Its rows go from the store, from this
    machine's spool and from its quarantine, under every pepper in DATA/secrets; a running collector does it and goes on
    taking reports. What is printed is a receipt without the key. Published counts stay as they are.

    \b
      collector forget --data DIR < key.txt
      collector forget --data DIR --pending
      collector forget --data DIR --format json < key.txt | jq -r .request

    Exit code 3: something is pending, or a pepper of the store's reports is missing; the receipt says what. A running
    `collector serve` repeats what is pending every hour.
    """
    receipts = _go_on(settings) if pending else [_forget(settings, kept_days)]
    for one in receipts:
        note_done(settings, "key_forgotten", f"request {one['request']}, {one['state']}")
    if form == "json":
        click.echo(json.dumps({"receipts": receipts} if pending else receipts[0]))
    elif not receipts:
        click.echo("no request is pending")
    else:
        click.echo("\n\n".join(map(_receipt, receipts)))
    if any(one["pending"] or one["missing"] for one in receipts):
        raise SystemExit(3)


def _forget(settings: Settings, kept_days: int) -> dict[str, Any]:
    pseudonyms = list(read_pseudonyms(settings).values())
    try:
        return ask(settings, "POST", "/forget", body={"pseudonyms": pseudonyms, "kept_days": kept_days})
    except NoServerError:
        from collector.forgetting import forget
        from collector.licence_commands import shown

        with _room(settings) as room:
            receipt = shown(forget(room, pseudonyms, _today(), kept_days))
            _make_way(room)
        return receipt


def _go_on(settings: Settings) -> list[dict[str, Any]]:
    try:
        receipts: list[dict[str, Any]] = ask(settings, "POST", "/forget/pending")["receipts"]
    except NoServerError:
        from collector.forgetting import repeat
        from collector.licence_commands import shown

        with _room(settings) as room:
            receipts = [shown(one) for one in repeat(room, _today())]
            _make_way(room)
    return receipts


@contextmanager
def _room(settings: Settings) -> Iterator[StoreRoom]:
    with open_room(settings, must_exist=settings.store_url is None) as room:
        try:
            yield room
        except OSError as error:
            fail(f"a file could not be written: {error.strerror}; repeat it")


def _make_way(room: StoreRoom) -> None:
    """Lets whoever publishes go on at once; a store that is away takes the lease back by itself."""
    from collector.store.engine import EngineError

    try:
        room.publisher.lease.give_up()
    except EngineError:
        return


def _receipt(one: dict[str, Any]) -> str:
    lines = [
        f"request   {one['request']}, {one['asked_on']}",
        f"removed   {', '.join(f'{rows:,} rows of the {place}' for place, rows in one['removed'].items())}",
        *(f"pending   {what}" for what in one["pending"]),
    ]
    if one["pending"] and one["whole"]:
        lines.append("          until then, reports of this licence that come in are erased, too")
    elif one["pending"]:
        lines.append("          this machine keeps no list of requests: ask again with the key")
    lines += [
        f"missing   pepper-{quarter}, without which its rows cannot be found: put it into DATA/secrets and ask again"
        for quarter in one["missing"]
    ]
    if not one["whole"]:
        lines.append("store     is not this machine's to change: ask there, too, as the database's owner")
    lines += [
        "stays     published counts: they are of many licences, with noise, and are never computed again",
        f"stays     backups of before, until {one['backups_until']}; a restore erases these rows again until then",
        "stays     copies of backups elsewhere: they are yours to delete",
        "stays     quarantine and spool of other machines that take reports: ask there, too",
    ]
    lines += [f"stays     {name}, from before the move, with all its rows: yours to delete" for name in one["moved"]]
    if one["detached"]:
        lines.append(
            f"stays     {one['detached']} parts that the engine has set aside as broken, if the licence is in them: "
            "see deploy/RIGHTS.md"
        )
    if not one["pending"]:
        lines.append("later     reports of this licence that come from now on are new ones and are kept as any others")
    return "\n".join(lines)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
