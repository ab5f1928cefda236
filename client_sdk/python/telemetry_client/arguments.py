"""The arguments of `telemetry-client`, and the help that teaches them.

A licence key is never an argument, because arguments show in process lists and shell histories; and an
argument that is not understood is not repeated, because it may be one.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import Any, Dict, List, NoReturn, Optional, Tuple

from telemetry_client.deadline import TOTAL_SECONDS
from telemetry_client.version import __version__

_LONGEST_SECONDS = 60.0
# Not with one dash: a key may be glued to a letter.
_OPTION = re.compile(r"--[a-z][a-z-]*")
# The two errors in which argparse itself repeats a value.
_GIVEN_VALUE = re.compile(r"(invalid choice|ignored explicit argument):? (?:'.*?'|\".*?\")(?= \(choose|$)", re.DOTALL)

_EXAMPLES = """\
examples:
  telemetry-client show
      what would be sent from this machine, byte for byte, and why it may be
  telemetry-client verify --url https://telemetry.example.com
      whether the collector's policy permits what this client was built with
  telemetry-client on
  telemetry-client send --url https://telemetry.example.com --product wordpress --product-version 6.4.2-0
      allow it, then report one boot
  telemetry-client off
      never again; what waits to be sent is deleted
  telemetry-client send --dry-run --url http://127.0.0.1:8080 --format json
      let a collector check a report and store nothing
  telemetry-client send --background
      the same at a boot that waits for nothing; `telemetry-client log` shows what was sent
  telemetry-client seal
      the last step of an image's build: nothing is sent before the image boots
  printf '%s' "$KEY" | telemetry-client send --license-key-stdin \\
      --product installbuilder --product-version 23.1.0
      InstallBuilder's own report, with the licence key from standard input

Nothing is sent before someone says yes: `on`, the administrator, or an image's default after a notice.
Any "off" wins. See what decides with `telemetry-client status`.
"""


# What `add_subparsers` returns; argparse has no public name for it.
_Commands = Any


class _Parser(argparse.ArgumentParser):
    """A parser whose errors do not repeat what was given: it may be a licence key in the wrong place."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        super().error(_GIVEN_VALUE.sub(r"\1", message))


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    return _build()[0]


def parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The parsed arguments; ends the program with exit code 2 where they are wrong."""
    parser, commands = _build()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands[parsed.command].error(_what_is_wrong(parsed.command, unknown, commands))
    if not os.path.isdir(parsed.root):
        commands[parsed.command].error("--root: not a directory")
    return parsed


def _build() -> Tuple[_Parser, Dict[str, _Parser]]:
    parser = _Parser(
        prog="telemetry-client",
        description="Tells a product's vendor which version runs on which system, if you allow it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_reporting(commands)
    _add_choosing(commands)
    return parser, dict(commands.choices)


def _add_reporting(commands: _Commands) -> None:
    """The commands that show what is sent, send it, and tell how things stand."""
    places, facts, forms = _place_options(), _fact_options(), _format_options()
    show = commands.add_parser(
        "show",
        parents=[facts, places, forms],
        help="print exactly what would be sent, and whether it would be",
        description="Prints the body that would be sent, where each value comes from and what it is for.",
    )
    show.add_argument("--reveal-key", action="store_true", help="show the licence key instead of asterisks")
    verify = commands.add_parser(
        "verify",
        parents=[_collector_options(), places, forms],
        help="tell what changed in the collector's policy since it was built",
        description="Asks the collector for its current policy and tells what changed since this client was built, "
        "and whether all that may be sent from here is still permitted. It says nothing about this machine; because "
        "you ask for it, it connects also where telemetry is off. Exit code: 0 the same, 1 differs, 2 not compared.",
    )
    verify.add_argument("--product", default="", metavar="NAME", help="whose reports, such as installbuilder")
    send = commands.add_parser(
        "send",
        parents=[facts, places, forms],
        help="send one report, if that is allowed",
        description="Sends one report. Exit code: 0 even without network or when opted out, 2 on wrong use; "
        "1 only from --dry-run, where the collector would refuse the report.",
    )
    send.add_argument(
        "--dry-run",
        action="store_true",
        help="the collector checks the report and stores nothing; exit code 1 where it would refuse it",
    )
    send.add_argument(
        "--background",
        action="store_true",
        help="return at once; a process of its own sends, and ends within the timeout plus one second",
    )
    for asks in (send, verify):
        asks.add_argument(
            "--timeout",
            type=_seconds,
            default=TOTAL_SECONDS,
            metavar="SECONDS",
            help=f"for everything together, DNS included; at most {_LONGEST_SECONDS:g} (default: %(default)g)",
        )
    status = commands.add_parser(
        "status",
        parents=[_collector_options(), places, forms],
        help="whether it is on and which rule says so; collector, network, outbox",
        description="Tells whether reports are allowed and which rule says so. Run it as the user, and in the "
        "environment, of the service that sends: both decide.",
    )
    status.add_argument(
        "--product", default="", metavar="NAME", help="whose reports: installbuilder never goes by an image's default"
    )
    commands.add_parser(
        "log",
        parents=[places, forms],
        help="the last ten bodies that were handed to a connection",
        description="Prints the last ten bodies that were handed to a connection, oldest first, each with the time, "
        "the collector and its answer (0: none came). A licence key is asterisks in it.",
    )


def _add_choosing(commands: _Commands) -> None:
    """The commands that change whether anything is sent."""
    places = _place_options()
    commands.add_parser(
        "on",
        parents=[places],
        help="allow reports from this user (root: from this machine)",
        description="Stores that reports are allowed, and lifts this user's own earlier off. Root's choice is "
        "for the machine's own reports; no other user is switched on by it.",
    )
    commands.add_parser(
        "off",
        parents=[places],
        help="forbid them, and delete what waits to be sent",
        description="Forbids all reports of this user (root: of every user), whatever directory they keep "
        "their state in, and deletes what waits to be sent.",
    )
    commands.add_parser(
        "seal",
        parents=[places],
        help="end an image's build: forget this machine, send nothing before the next boot",
        description="The last step of an image's build: deletes what was remembered and a stored on, keeps a stored "
        "off, and holds reports back until the image boots.",
    )


def _what_is_wrong(command: str, unknown: List[str], commands: Dict[str, _Parser]) -> str:
    """In words that name options and repeat no value."""
    elsewhere = {
        name: option.nargs != 0
        for parser in commands.values()
        for option in parser._actions  # noqa: SLF001 - argparse has no public list of its options
        for name in option.option_strings
    }
    misplaced: List[str] = []
    strange: List[str] = []
    is_value = False
    for argument in unknown:
        name, equals, _value = argument.partition("=")
        if name in elsewhere:
            misplaced.append(name)
        elif _OPTION.fullmatch(name):
            strange.append(name)
        elif not is_value:
            strange.append("an argument without a name")
        is_value = not equals and elsewhere.get(name, False)
    if strange:
        return f"not understood: {' '.join(strange)} (a licence key is never an argument; see --help)"
    why = ": the choice is for every product and collector" if command in ("on", "off") else ""
    return f"`{command}` takes no {' and no '.join(misplaced)}{why}"


def _place_options() -> _Parser:
    options = _Parser(add_help=False)
    group = options.add_argument_group("places")
    group.add_argument("--state-dir", default="", metavar="DIR", help="where choice and outbox are kept")
    group.add_argument("--config", default="", metavar="FILE", help="the image's configuration file")
    group.add_argument(
        "--root",
        default="/",
        metavar="DIR",
        help="read facts and settings below DIR, as of a mounted image; an off of this machine still counts",
    )
    return options


def _collector_options() -> _Parser:
    options = _Parser(add_help=False)
    options.add_argument("--url", default="", help="the collector, such as https://telemetry.example.com")
    return options


def _fact_options() -> _Parser:
    options = _Parser(add_help=False, parents=[_collector_options()])
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


def _format_options() -> _Parser:
    options = _Parser(add_help=False)
    options.add_argument("--format", default="text", choices=("text", "json"), help="default: %(default)s")
    return options


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError("not a number of seconds above 0")
    if seconds > _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"more than {_LONGEST_SECONDS:g} seconds")
    return seconds
