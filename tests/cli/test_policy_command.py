from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collector.check import permit_reviews
from collector.cli import check, policy
from collector.configuration import accept, read_configuration
from collector.layout import Layout
from collector.settings import Settings
from schemas.policy import SHIPPED_POLICY, load_policy


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the shipped policy in which language is withdrawn, versions are kept longer, and a word is changed."""
    path = tmp_path / "policy.toml"
    text = SHIPPED_POLICY.read_text(encoding="utf-8")
    text = text.replace('field = "language"\n', 'field = "language"\nwithdrawn = true\n', 1)
    head, versions = text.split('field = "product_version"\n', 1)
    versions = versions.replace("retention_days = 60", "retention_days = 90", 1)
    text = f'{head}field = "product_version"\n{versions}'.replace("may object, at any time", "may object")
    path.write_text(text, encoding="utf-8")
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(policy.command, arguments)


def test_diff_says_in_words_what_changes_and_which_way(changed: Path) -> None:
    result = run("diff", "shipped", str(changed))
    assert result.exit_code == 0
    more, less = result.stdout.split("Less may leave a machine")
    assert "`product_version` from vm, cloud, container is kept 90 days at most, before 60." in more
    assert (
        "`language` from vm, cloud, container is withdrawn. It is left empty on arrival; the report still counts"
        in less
    )
    assert 'Paragraph `choice.opt-out` says: "Whoever runs the product may object."' in less
    assert "3 changes" in result.stdout
    assert "note: Paragraphs change, and the policy's date stays" in result.stdout


def test_diff_for_machines_holds_the_same(changed: Path) -> None:
    told = json.loads(run("diff", "shipped", str(changed), "--format", "json").stdout)
    assert [(c["kind"], c["about"], c["effect"]) for c in told["changes"]] == [
        ("retention_days", "product_version", "more"),
        ("field withdrawn", "language", "less"),
        ("says", "choice.opt-out", "words"),
    ]
    assert told["changes"][0]["sources"] == ["vm", "cloud", "container"]
    assert told["after"]["dated"] == load_policy().dated.isoformat()


def test_policy_does_not_differ_from_itself() -> None:
    result = run("diff", "shipped", str(SHIPPED_POLICY))
    assert "no changes" in result.stdout
    assert "note" not in result.stdout


def test_policy_in_use_is_compared_too(changed: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "run").mkdir(parents=True)
    accept(Layout(data), read_configuration(Settings(data=data)))
    assert "3 changes" in run("diff", "--data", str(data), "in-use", str(changed)).stdout
    nothing = run("diff", "--data", str(tmp_path / "none"), "in-use", "shipped")
    assert nothing.exit_code == 2
    assert "accepted.json" in nothing.stderr


def test_earlier_revisions_of_the_shipped_policy_can_be_compared() -> None:
    told = json.loads(run("diff", "revision-2", "revision-3", "--format", "json").stdout)
    assert [(change["kind"], change["about"]) for change in told["changes"]] == [("answer", "sharing.trends")]
    assert (told["before"]["revision"], told["after"]["revision"]) == (2, 3)
    result = run("show", "revision-9999")
    assert result.exit_code == 2
    assert "there are revision-1 to revision-" in result.stderr


def test_policies_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    result = run("diff", str(tmp_path / "a.toml"), str(tmp_path / "b.toml"))
    assert result.exit_code == 2
    assert "a.toml: cannot be read" in result.stderr
    assert "b.toml: cannot be read" in result.stderr


def test_show_lists_every_permit_with_its_terms(changed: Path) -> None:
    shown = run("show", str(changed)).stdout
    assert "language (withdrawn)" in shown
    told = json.loads(run("show", "--format", "json").stdout)
    assert len(told["permits"]) == len(load_policy().permits_)
    assert {"field", "sources", "clause", "purpose", "owner", "last_review", "expires", "retention_days"} <= set(
        told["permits"][0]
    )


def test_check_warns_of_a_permit_that_ends_within_60_days_and_fails_once_it_has() -> None:
    (last,) = {permit.expires for permit in load_policy().permits_}
    for days, code, key in ((61, 0, None), (60, 0, "warnings"), (0, 0, "warnings"), (-1, 1, "problems")):
        day = last.fromordinal(last.toordinal() - days).isoformat()
        text = CliRunner().invoke(check.command, ["--on", day])
        told = CliRunner().invoke(check.command, ["--on", day, "--format", "json"])
        assert (text.exit_code, told.exit_code) == (code, code), days
        found = json.loads(told.stdout)
        assert bool(found["warnings"]) == (key == "warnings")
        assert bool(found["problems"]) == (key == "problems")
        assert ("warning: the permit of" in text.stdout) == (key == "warnings")
        assert (f"expired on {last}" in text.stdout) == (key == "problems")


def test_dates_of_a_policy_that_cannot_be_read_are_no_second_problem(tmp_path: Path) -> None:
    due = permit_reviews(Settings(policy=tmp_path / "none.toml"), load_policy().dated)
    assert (due.problems, due.warnings) == ([], [])
