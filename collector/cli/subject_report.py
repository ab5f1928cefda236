"""`collector subject-report`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from collector.cli.licence_key import read_pseudonyms
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings

if TYPE_CHECKING:
    from collector.settings import Settings

_COLUMNS = ("where", "day", "product", "product_version", "os_version", "language", "reports")


@click.command("subject-report")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE, "keep_after_release_days", "policy")
def command(settings: Settings, form: str) -> None:
    """Say what is held about a licence: its reports by day, product, version, system and language.

    The key comes on standard input, never as an argument. Nothing of the question is written anywhere, and the name by
    which the store knows the licence is not shown: whoever has it could follow the licence in the rows.

    \b
      collector subject-report --data DIR < key.txt
      collector subject-report --data DIR --format json < key.txt

    Looked at: the store, and this machine's spool and quarantine, under every pepper in DATA/secrets.
    """
    pseudonyms = read_pseudonyms(settings)
    answer = {
        "held": _held(settings, list(pseudonyms.values())),
        "quarters": list(pseudonyms),
        "retention": _retention(settings),
    }
    if form == "json":
        click.echo(json.dumps(answer))
        return
    click.echo(_in_words(answer))


def _held(settings: Settings, pseudonyms: list[str]) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = ask(settings, "POST", "/subject-report", body={"pseudonyms": pseudonyms})["held"]
    except NoServerError:
        from collector.subject_report import held

        with open_room(settings, must_exist=settings.store_url is None) as room:
            found = [one._asdict() for one in held(room, pseudonyms)]
    return found


def _retention(settings: Settings) -> dict[str, Any]:
    from schemas.policy import load_policy
    from schemas.problems import ConfigurationError

    try:
        policy = load_policy(settings.policy)
    except ConfigurationError as error:
        fail(*error.problems)
    permit = policy.permit("installbuilder", "license_key")
    return {
        "policy": policy.id,
        "retention_days": permit.retention_days if permit else None,
        "keep_after_release_days": settings.keep_after_release_days,
        "contact": policy.contact,
    }


def _in_words(answer: dict[str, Any]) -> str:
    from collector.cli.table import show_table

    held, retention = answer["held"], answer["retention"]
    reports = sum(one["reports"] for one in held)
    quarters = ", ".join(answer["quarters"])
    if held:
        rows = [[str(one[column]) for column in _COLUMNS] for one in held]
        show_table([column.replace("_", " ") for column in _COLUMNS], rows, frozenset({"reports"}))
    return (
        f"{reports:,} report{'' if reports == 1 else 's'} held about this licence, of the quarters {quarters}.\n"
        "A row is what InstallBuilder reported of one run: the fields above, the date, and in place of the key a\n"
        "number that is made from it and a secret of this collector, another one each quarter. No key, no name and no\n"
        "address is held.\n"
        f"Rows go {retention['keep_after_release_days']} days after the counts of their month are out. The policy "
        f"{retention['policy']} says\n{retention['retention_days']} days for the licence. Published counts are of many "
        "licences, with noise; what a licence adds to them cannot be told.\n"
        "Not looked at: backups, and spool and quarantine of other machines."
    )
