"""The shipped rules, dashboard and runbook agree with each other, with the program, and with Prometheus' own tools."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from collector.reference import PAGE
from schemas.outcomes import Outcome
from tests.conftest import PROJECT, missing
from tests.monitoring.rules import DASHBOARD, PROMETHEUS, RUNBOOK, alerts, metrics_in, panels

HERE = Path(__file__).parent
RULE_TESTS = sorted(HERE.glob("*.test.yml"))
# What no alert is about: what is well, what other programs than clients ask, and what a client is told on purpose.
NOT_ALERTED = {"valid", "not_found", "method_not_allowed", "client_stopped", "too_slow"}
PRIVATE = {"product", "version", "value", "licence", "license", "address", "language", "instance_type", "os_version"}


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which(name) is None:
        missing(f"{name} is needed: apt-get install prometheus prometheus-alertmanager")
    return subprocess.run([name, *arguments], capture_output=True, text=True, check=False)


def known_metrics() -> set[str]:
    """Every metric that REFERENCE.md lists, and what a histogram is made of."""
    rows = re.findall(r"^\| `(telemetry_\w+)` \| (\w+) ", PAGE.read_text("utf-8"), re.MULTILINE)
    parts = {f"{name}_{part}" for name, kind in rows if kind == "histogram" for part in ("bucket", "count", "sum")}
    return {name for name, _ in rows} | parts


def test_prometheus_accepts_the_configuration_and_its_rules() -> None:
    checked = tool("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout
    linted = tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", PROMETHEUS / "alerts.yml")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_alertmanager_accepts_its_configuration_and_knows_every_alert_that_it_names() -> None:
    checked = tool("amtool", "check-config", PROMETHEUS / "alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    named = set(re.findall(r'alertname=~?"([^"]+)"', (PROMETHEUS / "alertmanager.yml").read_text("utf-8")))
    assert {name for one in named for name in one.split("|")} <= {alert.name for alert in alerts()}


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_at_their_fault_and_not_before_and_clear(path: Path) -> None:
    tested = tool("promtool", "test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_rule_test_in_which_it_fires_and_one_moment_in_which_it_does_not() -> None:
    fires, quiet = set(), set()
    names = {alert.name for alert in alerts()}
    for path in RULE_TESTS:
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            about = test["name"].split(",")[0]
            for moment in test["promql_expr_test"]:
                seen = {re.findall(r'alertname="(\w+)"', s["labels"])[0] for s in moment["exp_samples"]}
                fires |= seen
                quiet |= {about} - seen
    assert fires == names
    assert names <= quiet


def test_every_alert_says_what_it_is_and_has_its_section_in_the_runbook() -> None:
    text = RUNBOOK.read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^##? )", text, re.MULTILINE | re.DOTALL))
    assert list(sections) and set(sections) == {alert.name for alert in alerts()}  # noqa: PT018 - one without the other says nothing
    for alert in alerts():
        assert alert.severity in {"page", "ticket"}, alert.name
        assert alert.annotations["runbook_url"] == f"RUNBOOK.md#{alert.name.lower()}"
        assert alert.annotations["summary"], alert.name
        assert alert.annotations["description"].endswith("."), alert.name
        for part in ("**Means:**", "**At stake:**", "**Look:**", "**Do:**", "**Clears**"):
            assert sections[alert.name].count(part) == 1, f"{alert.name}: {part}"


def test_every_metric_and_outcome_that_is_named_exists() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    expressions = [alert.expression for alert in alerts()]
    expressions += [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    known = known_metrics()
    for expression in expressions:
        assert metrics_in(expression) <= known, expression
        for pattern in re.findall(r'outcome=~?"([^"]+)"', expression):
            assert [o for o in Outcome if re.fullmatch(pattern, o.value)], expression
    named = set().union(*map(metrics_in, expressions))
    whole = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
    assert known - whole == {name for name in known if re.search(r"_(bucket|count|sum)$", name)}, (
        "one that nobody looks at"
    )
    assert metrics_in(RUNBOOK.read_text("utf-8")) <= known


def test_every_outcome_is_watched_by_an_alert_or_is_none_to_be_watched() -> None:
    patterns = [p for alert in alerts() for p in re.findall(r'outcome=~?"([^"]+)"', alert.expression)]
    watched = {o.value for o in Outcome if any(re.fullmatch(pattern, o.value) for pattern in patterns)}
    assert watched | NOT_ALERTED == {o.value for o in Outcome}
    assert not watched & NOT_ALERTED


def test_no_alert_and_no_panel_can_show_anything_of_a_report() -> None:
    """Beside what the metrics have at all: labels that texts and legends take over come from closed lists."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    for alert in alerts():
        assert "$labels" not in str(alert.annotations), alert.name
    legends = {t["legendFormat"] for panel in panels(dashboard) for t in panel["targets"]}
    labels = {label for legend in legends for label in re.findall(r"\{\{(\w+)\}\}", legend)}
    assert labels - {"version"} <= {
        "instance",
        "part",
        "outcome",
        "report",
        "grain",
        "reason",
        "field",
        "result",
        "place",
    }
    assert not (labels - {"version"}) & PRIVATE


def test_dashboard_is_one_that_grafana_takes_and_is_provisioned() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    asking = panels(dashboard)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows[0] == "Is it well"
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    for panel in asking:
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
    sources = {target["datasource"]["uid"] for panel in asking for target in panel["targets"]}
    sources |= {variable["datasource"]["uid"] for variable in dashboard["templating"]["list"]}
    provisioned = yaml.safe_load(
        (PROJECT / "deploy/grafana/provisioning/datasources/collector-prometheus.yaml").read_text("utf-8")
    )["datasources"]
    assert sources == {one["uid"] for one in provisioned}
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["global"]["scrape_interval"]
    assert provisioned[0]["jsonData"]["timeInterval"] == scraped
