from __future__ import annotations

import json
from pathlib import Path

from collector.publish.claim import SCORES
from collector.publish.menu import SHIPPED_MENU
from tests.conftest import PROJECT, collector
from tests.ready_engine import ReadyEngine


def test_privacy_prints_the_claim_and_its_limits() -> None:
    text = " ".join(collector("privacy").stdout.split())
    assert (
        "Everything that is ever published about one licence in a month is (1.76, 1e-06)-differentially private" in text
    )
    assert "a coin is right 50 %" in text
    assert "Behind every published cell stand at least 10 reports or licences" in text
    assert "A customer who boots 500 machines is 500 reports" in text


def test_privacy_as_json_adds_up() -> None:
    told = json.loads(collector("privacy", "--profile", "strict", "--format", "json").stdout)
    assert told["profile"] == "strict"
    for unit in told["units"]:
        assert unit["cells"] == sum(part["cells"] for part in unit["by_grain"])
        assert abs(unit["rho"] - unit["guard_rho"] - sum(part["rho"] for part in unit["by_grain"])) < 1e-4
        assert 0.5 < unit["best_guess"] < 0.7
    assert told["attacks"] is None, "they were measured with the standard profile"


def test_serve_and_privacy_refuse_a_menu_that_reveals_too_much(tmp_path: Path) -> None:
    menu = tmp_path / "menu.toml"
    menu.write_text(SHIPPED_MENU.read_text().replace('grains = ["week", "month"]', 'grains = ["day", "week", "month"]'))
    for verb in ("privacy", "serve"):
        refused = collector(verb, "--data", str(tmp_path / "data"), "--menu", str(menu), check=False)
        assert refused.returncode == 2
        assert "one boot report is in 30 cells" in refused.stderr
        assert "leave out tables or grains, or take more noise" in refused.stderr
    more = collector("privacy", "--menu", str(menu), "--most-epsilon-per-report", "6", "--format", "json")
    assert json.loads(more.stdout)["units"][0]["cells"] == 30


def test_releases_are_listed_with_their_rules(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    collector("simulate", "--data", data, "--days", "3", "--reports", "900", "--seed", "5")
    text = collector("releases", "--data", data).stdout
    assert "standard: k 10, gate 6, sigma 5/12/20" in text
    listed = json.loads(collector("releases", "--data", data, "--most", "2", "--format", "json").stdout)["releases"]
    assert len(listed) == 2
    assert listed[0]["period"] > listed[1]["period"] or listed[0]["grain"] != listed[1]["grain"]


def test_nothing_released_is_said_and_not_an_empty_table(ready_engine: ReadyEngine, tmp_path: Path) -> None:
    ready_engine.put(tmp_path / "data" / "engine")
    assert "nothing is released yet" in collector("releases", "--data", str(tmp_path / "data")).stdout


def test_readme_states_the_scores_that_were_measured() -> None:
    text = " ".join((PROJECT / "README.md").read_text(encoding="utf-8").split())
    scores = {attack["name"]: attack for attack in json.loads(SCORES.read_text(encoding="utf-8"))["attacks"]}
    which, there = scores["everything, version A or B: likelihood"], scores["everything, there or not: likelihood"]
    assert f"which of two versions a licence runs {100 * which['score']:.1f} % of the time" in text
    assert f"whether it is there at all {100 * there['score']:.1f} %" in text
    assert which["control"] == there["control"] == 1


def test_scores_were_measured_with_the_shipped_menu_and_all_are_as_they_must_be() -> None:
    """After a change of the menu: make test-attacks."""
    told = json.loads(collector("privacy", "--format", "json").stdout)
    assert told["attacks"], "run: make test-attacks"
    assert all(attack["passed"] for attack in told["attacks"])
