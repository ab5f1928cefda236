"""The attack suite in short, with fewer worlds, and proof that it fails when the protection does.

`python -m tests.attacks.run` plays it in full. With few worlds an interval is wide, so here a score need only not
be significantly above its bar.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from threadpoolctl import threadpool_limits

from collector.noise import Below, discrete_gaussian, keyed_stream
from collector.publish import protection
from collector.publish.accounting import best_guess, exposures
from collector.publish.menu import load_menu
from collector.publish.protection import Protection
from schemas.policy import load_policy
from tests.attacks.classifier import ClassifierAttack
from tests.attacks.mechanism import Setting
from tests.attacks.playing import TwoWorldAttack
from tests.attacks.run import published
from tests.attacks.scores import Score
from tests.attacks.suite import ATTACKS, Attack, scores, tasks

WORLDS = 400
SETTING = Setting(load_menu(load_policy()))
EXACT = Setting(SETTING.menu, is_exact=True)
BARRED = [a for a in ATTACKS if isinstance(a, TwoWorldAttack | ClassifierAttack) and a.game.bar]


def play(attack: Attack) -> list[Score]:
    planned = tasks(WORLDS, [attack])
    with threadpool_limits(1):
        played = (attack.play(EXACT if exact else SETTING, block) for _, exact, block in planned)
        return scores(planned, played, [attack])


def play_named(name: str) -> dict[str, Score]:
    (attack,) = (attack for attack in ATTACKS if attack.name == name)
    return {score.name.removeprefix(f"{name}: "): score for score in play(attack)}


def not_above(found: Sequence[Score]) -> list[str]:
    return [score.name for score in found if not score.is_significantly_above]


def test_every_protected_measure_of_the_specification_is_attacked() -> None:
    assert {a.game.name.split(",")[0] for a in BARRED} == {
        *("total minus part", "overlapping filters", "day against month", "upgrade", "churn", "everything"),
        "trained classifier",
    }
    assert {a.game.bar for a in BARRED} == {0.65, 0.70}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_no_attack_gets_above_its_bar_and_each_breaks_exact_counts(attack: Attack) -> None:
    for score in play(attack):
        assert not score.is_significantly_above, score
        assert score.control_works, score


def test_one_boot_report_is_attacked_in_every_cell_that_the_accounting_counts() -> None:
    (boot,) = (e for e in exposures(SETTING.menu, SETTING.profile) if e.measure == "boots")
    expected = best_guess(boot.rho - boot.guard_rho)  # the guard against made-up values is not attacked here
    assert play_named("one boot report")["likelihood"].theory == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("attack", BARRED, ids=lambda attack: attack.name)
def test_without_noise_each_attack_gets_above_its_bar(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though all still believe in the noise."""
    monkeypatch.setattr(protection, "discrete_gaussian", lambda _sigma, _below: 0)
    assert not_above(play(attack)) == []


@pytest.mark.parametrize("name", ["upgrade", "churn", "everything, version A or B", "everything, there or not"])
def test_with_a_third_of_the_noise_likelihood_gets_above_its_bar(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def weak(sigma: int, below: Below) -> int:
        return discrete_gaussian(sigma // 3, below)

    monkeypatch.setattr(protection, "discrete_gaussian", weak)
    assert not_above([play_named(name)["likelihood"]]) == []


@pytest.mark.parametrize(
    "name", ["total minus part, there or not", "overlapping filters, there or not", "day against month, suppressed day"]
)
def test_gate_at_k_alone_betrays_who_completes_a_cell(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell of k - 1 units is absent and one of k is there: the noise of its value does not help."""

    def bare(self: Protection, true_value: int, noise: int) -> int | None:
        return true_value + noise if true_value >= self.k else None

    assert not play_named(name)["likelihood"].is_significantly_above
    monkeypatch.setattr(Protection, "gate", bare)
    assert play_named(name)["likelihood"].is_significantly_above


def test_sticky_noise_is_found_by_values_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that is the same for the same count in every release, as keyed by the cell alone."""

    def sticky(_secret: bytes, context: Sequence[object]) -> Below:
        return keyed_stream(b"for ever", context[-2:])

    monkeypatch.setattr(protection, "keyed_stream", sticky)
    for name in ("upgrade, frozen population", "churn, frozen population"):
        assert play_named(name)["same value"].is_significantly_above


def test_scores_are_the_same_each_time_and_without_a_date() -> None:
    once, again = (published(SETTING, WORLDS, play(ATTACKS[0])) for _ in range(2))
    assert once == again
    content = json.loads(once)
    assert (content["menu"], content["profile"], content["k"]) == (SETTING.menu.fingerprint, "standard", 10)
    assert set(content["attacks"][0]) == {
        *("name", "does", "games", "score", "low", "high", "bar", "theory", "control", "control_needed", "passed")
    }
