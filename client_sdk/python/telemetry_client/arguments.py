"""The arguments of `telemetry-client`, and the help that teaches them.

A licence key is never an argument, because arguments show in process lists and shell histories; and an
argument that is not understood is not repeated, because it may be one.
"""

from __future__ import annotations

import argparse
from typing import List, Optional

from telemetry_client.deadline import TOTAL_SECONDS

_LONGEST_SECONDS = 60.0

_EXAMPLES = """\
examples:
  telemetry-client show
      what would be sent from this machine, byte for byte, and why it may be
  telemetry-client on
  telemetry-client send --url https://telemetry.example.com --product wordpress --product-version 6.4.2-0
      allow it, then report one boot
  telemetry-client off
      never again; what waits to be sent is deleted
  telemetry-client send --dry-run --url http://127.0.0.1:8080 --format json
      let a collector check a report and store nothing
  printf '%s' "$KEY" | telemetry-client send --license-key-stdin \\
      --product installbuilder --product-version 23.1.0
      InstallBuilder's own report, with the licence key from standard input

Nothing is sent before someone says yes: `on`, the administrator, or an image's default after a notice.
Any "off" wins. See what decides with `telemetry-client status`.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all five commands."""
    parser = argparse.ArgumentParser(
        prog="telemetry-client",
        description="Tells a product's vendor which version runs on which system, if you allow it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    places, facts, forms = _place_options(), _fact_options(), _format_options()
    show = commands.add_parser(
        "show",
        parents=[facts, places, forms],
        help="print exactly what would be sent, and whether it would be",
        description="Prints the body that would be sent, where each value comes from and what it is for.",
        allow_abbrev=False,
    )
    show.add_argument("--reveal-key", action="store_true", help="show the licence key instead of asterisks")
    send = commands.add_parser(
        "send",
        parents=[facts, places, forms],
        help="send one report, if that is allowed",
        description="Sends one report. Exit code: 0 even without network or when opted out, 2 on wrong use.",
        allow_abbrev=False,
    )
    send.add_argument("--dry-run", action="store_true", help="the collector checks the report and stores nothing")
    send.add_argument(
        "--timeout",
        type=_seconds,
        default=TOTAL_SECONDS,
        metavar="SECONDS",
        help="for everything together, DNS included (default: %(default)g)",
    )
    commands.add_parser(
        "status",
        parents=[facts, places, forms],
        help="whether it is on and which rule says so; collector, network, outbox",
        allow_abbrev=False,
    )
    for name, help_text in (
        ("on", "allow reports from this user (root: from this machine)"),
        ("off", "forbid them, and delete what waits to be sent"),
    ):
        commands.add_parser(name, parents=[places], help=help_text, allow_abbrev=False)
    return parser


def parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The parsed arguments; ends the program with exit code 2 where they are wrong."""
    parser = build_parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        names = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
        what = " ".join(names) or "an argument without a name"
        parser.error(f"not understood: {what} (a licence key is never an argument; see --help)")
    return parsed


def _place_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group = options.add_argument_group("places")
    group.add_argument("--state-dir", default="", metavar="DIR", help="where choice and outbox are kept")
    group.add_argument("--config", default="", metavar="FILE", help="the image's configuration file")
    group.add_argument(
        "--root", default="/", metavar="DIR", help="read facts and settings below DIR, as of a mounted image"
    )
    return options


def _fact_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--url", default="", help="the collector, such as https://telemetry.example.com")
    group = options.add_argument_group("facts", "What is not given is detected; `show` tells from where.")
    group.add_argument("--product", default="", metavar="NAME", help="such as wordpress")
    group.add_argument("--product-version", default="", metavar="VERSION", help="such as 6.4.2-0")
    group.add_argument("--source", default="", choices=("vm", "cloud", "container"), help="what the image runs as")
    group.add_argument("--os-version", default="", metavar="OS", help="such as debian-12")
    group.add_argument("--instance-type", default="", metavar="TYPE", help="such as t3.micro")
    group.add_argument("--language", default="", metavar="TAG", help="such as pt-BR")
    group.add_argument(
        "--license-key-stdin",
        action="store_true",
        help="read InstallBuilder's licence key from standard input (or set TELEMETRY_LICENSE_KEY)",
    )
    return options


def _format_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--format", default="text", choices=("text", "json"), help="default: %(default)s")
    return options


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"between 0 and {_LONGEST_SECONDS:g} seconds")
    return seconds
