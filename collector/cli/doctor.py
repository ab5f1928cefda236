"""`collector doctor`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import click

from collector.cli.options import with_settings

if TYPE_CHECKING:
    from collector.doctor import Examination
    from collector.settings import Settings

_SETTINGS = ("data", "workers", "reserve_percent", "policy", "catalogue", "menu", "tls_certificate", "tls_key")
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command("doctor")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings(*_SETTINGS)
def command(settings: Settings, form: str) -> None:
    """What uses the disk, what is stuck, and what may go.

    \b
    collector doctor --data DIR
    collector doctor --data DIR --format json | jq -r '.findings[] | .what + ": " + .todo'

    Changes nothing. Works beside a running `collector serve`, whose settings it goes by, and without one;
    give it the settings of `collector serve` then. A warning has time, a problem has not; each comes with
    what to do. Ends with exit code 1 if there is any.
    """
    from collector.doctor import examine

    examination = examine(settings, dt.datetime.now(dt.UTC))
    if form == "json":
        click.echo(json.dumps(_as_json(examination)))
    else:
        _show(examination)
    if examination.findings:
        raise SystemExit(1)


def _show(examination: Examination) -> None:
    for section, findings in examination.sections.items():
        click.secho(section, bold=True)
        for one in sorted(findings, key=lambda one: -one.severity):
            name = one.severity.name.lower()
            click.echo(f"  {click.style(f'{name:<8}', fg=_COLOURS[name])} {one.what}")
            if one.todo:
                click.echo(f"           -> {one.todo}")
    problems = sum(one.severity.name == "PROBLEM" for one in examination.findings)
    warnings = len(examination.findings) - problems
    counted = [f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in ((problems, "problem"), (warnings, "warning")) if n]
    click.echo(" and ".join(counted) or "nothing to do")


def _as_json(examination: Examination) -> dict[str, object]:
    """`findings` holds what wants something done, the worst first; `sections` everything."""
    sections = {
        section: [dataclasses.asdict(one) | {"severity": one.severity.name.lower()} for one in found]
        for section, found in examination.sections.items()
    }
    wanted = [
        {"section": section, **one} for section, found in sections.items() for one in found if one["severity"] != "ok"
    ]
    wanted.sort(key=lambda one: one["severity"] != "problem")
    return {
        "data": examination.data,
        "serving": examination.serving,
        "disk": examination.disk,
        "findings": wanted,
        "sections": sections,
    }
