"""What may be claimed of the published counts, in numbers and in words, and what may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.publish.accounting import DELTA, exposures

if TYPE_CHECKING:
    from collector.publish.accounting import Exposure
    from collector.publish.release import Rules

SCORES = Path(__file__).parent / "attack-scores.json"

CLAIM = (
    "Everything that is ever published about {unit} is ({epsilon:.2f}, {delta:.0e})-differentially private: "
    "somebody who knows everything else guesses right whether it is in the numbers about {guess} % of the time "
    "at most, where a coin is right 50 %."
)
GATE = (
    "Behind every published cell stand at least {k} reports or licences, and its value is at least "
    "{gate_sigmas} standard deviations of its noise above that."
)
LIMITS = (
    "Reports without a licence key are protected one by one. A customer who boots 500 machines is 500 reports.",
    "Nothing is claimed for several units together, such as all machines of one owner.",
    "The bounds are for a unit being in the numbers or not; telling two lives of a licence apart has its own score.",
    "Metrics and status of the operator count all reports exactly, without product or value: do not publish them.",
    "The bound of a licence grows with every month that it is used; a year's is stated too.",
    "A month is the one that runs count in: late runs, or a pepper that was lost, can count a licence in two.",
    "The first day that is published is the day of the first report.",
    "No number is claimed to be anonymous, nor inference to be impossible: they are as private as stated here.",
)


def claim(rules: Rules) -> dict[str, Any]:
    """The whole claim, ready for JSON.

    Returns:
        `profile`, `menu` (fingerprint), `k`, `gate_sigmas`, `delta`; `units`: for each protected unit `unit`,
        `measure`, `months`, `cells` (how many released cells it can move, each by one), `rho`, `epsilon`,
        `best_guess`, `guard_rho` (its part in the guard against made-up values), and `by_grain`; `claims` and
        `limits` in words; `attacks`: the scores of the attack suite, None if they were measured with another
        menu or profile.
    """
    menu = rules.menu
    found = exposures(menu, rules.profile)
    return {
        "profile": rules.profile,
        "menu": menu.fingerprint,
        "k": menu.k,
        "gate_sigmas": menu.gate_sigmas,
        "delta": DELTA,
        "units": [_unit(exposure) for exposure in found],
        "claims": [_words(exposure) for exposure in found] + [GATE.format(k=menu.k, gate_sigmas=menu.gate_sigmas)],
        "limits": list(LIMITS),
        "attacks": attack_scores(rules),
    }


def attack_scores(rules: Rules) -> list[dict[str, Any]] | None:
    """What the attack suite scored, if it attacked this menu and profile."""
    try:
        measured = json.loads(SCORES.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    attacks: list[dict[str, Any]] = measured["attacks"]
    return attacks if (measured["menu"], measured["profile"]) == (rules.menu.fingerprint, rules.profile) else None


def _unit(exposure: Exposure) -> dict[str, Any]:
    return {
        "unit": exposure.unit,
        "measure": exposure.measure,
        "months": exposure.months,
        "cells": exposure.cells,
        "rho": round(exposure.rho, 6),
        "epsilon": exposure.stated_epsilon,
        "best_guess": round(exposure.best_guess, 4),
        "guard_rho": round(exposure.guard_rho, 6),
        "by_grain": [
            {"grain": share.grain, "cells": share.cells, "sigma": share.sigma, "rho": round(share.rho, 6)}
            for share in exposure.shares
        ],
    }


def _words(exposure: Exposure) -> str:
    return CLAIM.format(
        unit=exposure.unit, epsilon=exposure.stated_epsilon, delta=DELTA, guess=f"{100 * exposure.best_guess:.0f}"
    )
