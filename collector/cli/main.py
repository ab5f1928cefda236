"""The `collector` command and its verbs.

Help must be quick, so a verb's module, and with it the engine, is imported only when the verb is run.
"""

from __future__ import annotations

import importlib
from typing import NoReturn

import click

# Verb -> what it does; the module has the verb's name, with _ for -.
VERBS = {
    "serve": "Take reports, load them, publish, answer: everything on this machine.",
    "ingest": "Take reports alone, into a ClickHouse server: one machine of several.",
    "reports": "Show published counts alone, from a ClickHouse server.",
    "migrate": "Bring the database to this program's version.",
    "move": "Take an embedded installation to a ClickHouse server.",
    "backup": "Copy all counts, and the reports that are still needed, to a directory.",
    "restore": "Put a backup back, into a store that holds nothing.",
    "nodes": "The collectors that take reports into one ClickHouse server.",
    "pepper": "The secrets under which licence keys become pseudonyms.",
    "status": "What was accepted, where it is, and what happens next.",
    "usage": "Published counts of a product, or of all products.",
    "export-trends": "General usage trends as a web site and data files, for third parties.",
    "publish": "Close days that are over and release their counts.",
    "privacy": "What the published counts can reveal about one report or licence, at the most.",
    "releases": "What was released, when, and by which rules.",
    "simulate": "Fill a directory with a made-up fleet, to look around.",
    "reload": "Have a running serve read policy, catalogue and certificate again.",
    "products": "List, add and remove products, without a restart.",
    "token": "Make, list and revoke the tokens that people and scripts read counts with.",
    "hide": "Hide a value from all readers, such as something personal typed as a version.",
    "audit": "Who looked at what, who signed in, who changed what.",
    "quarantine": "Look at, load again or give up what the store could not read.",
    "retention": "How long each kind of thing is kept, and what is held.",
    "forget": "Erase all that is held about a licence, and keep it erased.",
    "subject-report": "Say what is held about a licence.",
    "doctor": "What uses the disk, what is stuck, and what may go.",
    "policy": "What may leave a machine, and what a changed policy would mean.",
    "capacity": "What a fleet needs: boxes, memory, disk, network, from costs that were measured.",
    "check": "Check policy, catalogue, schemas, examples, menu and settings.",
}


class _Verbs(click.Group):
    """Knows the verbs' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is the library's
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"collector.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PermissionError as error:
            where = f"{error.filename}: " if error.filename else ""
            fail(f"{where}permission denied; run this as the user that runs `collector serve`")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="product-telemetry")
def cli() -> None:
    """Which product version runs where, in aggregate and nothing else.

    \b
    A first look, with a made-up fleet:
      collector simulate --data demo-data
      collector usage --data demo-data
      collector usage --data demo-data --product wordpress --by product_version

    \b
    For real:
      collector serve --data /var/lib/collector
      collector status --data /var/lib/collector

    Every setting is an option, an environment variable (COLLECTOR_INGEST_PORT) and a line of the
    file given by --config or COLLECTOR_CONFIG (ingest_port = 8080).
    """


def fail(*problems: str) -> NoReturn:
    """Says what is wrong, a line each, and ends with exit code 2."""
    for problem in problems:
        click.echo(f"collector: {problem}", err=True)
    raise SystemExit(2)
