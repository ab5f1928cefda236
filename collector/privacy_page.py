"""Writes deploy/PRIVACY.md: what may be claimed of the published counts, worked out and attacked.

`make schemas` runs it, and `make test-attacks` after it has written new scores; a test fails when the page
and the program differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.publish.claim import claim
from collector.publish.menu import load_menu
from collector.publish.release import Rules
from schemas.markdown import table
from schemas.policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parent.parent / "deploy" / "PRIVACY.md"

_HEAD = """\
# How private the published counts are

Made from the program and its attack suite by `make schemas`; do not edit. `collector privacy` prints the same for a
menu and profile of your own.

No query ever runs over private rows. When a day, week or month closes, a fixed menu of tables is counted once;
every cell with at least {k} reports or licences behind it gets fresh random noise (a discrete Gaussian, sampled
exactly) and is published if it still lies {gate_sigmas} standard deviations above that; everything else is absent.
What is published never changes, and everything that people see is made from it: any number of questions reveals
nothing more.
"""

_READING = """\
*Moves cells*: how many published numbers the presence of one unit can change, each by one. *epsilon*, at delta =
{delta:.0e}: everything published together changes the odds of any belief about one unit by a factor of e^epsilon at
the most, but for a chance of delta. *Best guess*: the same as a game. Somebody who knows the data of everybody else
guesses whether one unit is in the numbers; a coin is right 50 % of the time. The accounting is zero-concentrated
differential privacy, checked against an independent library to 1 %.
"""

_ATTACKS = """\
## Attacks

Each attack is a game of two equally likely worlds that differ in one licence (or report): which version it runs,
whether it upgraded, left, or is there at all. The attacker knows the menu, k, the noise, the program and every
other unit, and sees a year of releases. A coin is right 50 % of the time. *Exact counts* is the same attack on
counts with a threshold of 10 and no noise: it must succeed there, or the test would prove nothing. `make
test-attacks` plays all of them again.
"""


def page() -> str:
    """The page."""
    menu = load_menu(load_policy())
    told = {profile: claim(Rules(menu, profile)) for profile in menu.profiles}
    shipped = told["standard"]
    lines = [_HEAD.format(**shipped), "## What one unit can be worth", ""]
    for profile, one in told.items():
        lines += [f"Profile `{profile}`:", "", *_units(one["units"]), ""]
    lines += [_READING.format(**shipped), "## What is claimed, and what is not", ""]
    lines += [f"- {sentence}" for sentence in (*shipped["claims"], *shipped["limits"])]
    lines += ["", _ATTACKS, *_attacks(shipped["attacks"] or [])]
    return "\n".join(lines) + "\n"


def _units(units: Iterable[dict[str, Any]]) -> list[str]:
    rows = [
        (
            unit["unit"],
            str(unit["cells"]),
            f"{unit['rho']:.4f}",
            f"{unit['epsilon']:.2f}",
            f"{100 * unit['best_guess']:.0f} %",
        )
        for unit in units
    ]
    return table(("unit", "moves cells", "rho", "epsilon", "best guess"), rows)


def _attacks(attacks: Iterable[dict[str, Any]]) -> list[str]:
    rows = [
        (
            attack["name"],
            attack["does"],
            f"{100 * attack['score']:.1f} % ({100 * attack['low']:.1f} to {100 * attack['high']:.1f})",
            _percent(attack["theory"]),
            _percent(attack["bar"]) or "none, published",
            _percent(attack["control"]),
        )
        for attack in attacks
    ]
    return table(("attack", "what it does", "right", "in theory", "bar", "exact counts"), rows)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
