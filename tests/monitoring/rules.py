"""The shipped alerts as tests need them: read, and with their waits made short."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from tests.conftest import PROJECT

PROMETHEUS = PROJECT / "deploy" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yml"
DASHBOARD = PROJECT / "deploy" / "grafana" / "dashboards" / "collector-operations.json"
RUNBOOK = PROJECT / "deploy" / "RUNBOOK.md"
_METRIC = re.compile(r"\btelemetry_[a-z_]+")


@dataclass(frozen=True)
class Alert:
    """One alerting rule."""

    name: str
    expression: str
    severity: str
    annotations: dict[str, str]


def alerts() -> list[Alert]:
    """Every alert, in the order of the file."""
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
        for group in groups
        for rule in group["rules"]
    ]


def metrics_in(expression: str) -> set[str]:
    """The collector's metrics that an expression names."""
    return set(_METRIC.findall(expression))


def hurried(text: str, changes: dict[str, str]) -> str:
    """The alerts' file with short waits: nothing else of it is another in a live test.

    Each wait (`for`) becomes a second, that of two minutes five; windows of 15 and 20 minutes become 20 seconds,
    all others ten.

    Args:
        text: the file.
        changes: thresholds that no test can wait for, and what they become.
    """
    text = text.replace("for: 2m", "for: 5s")  # of CollectorDown: a busy machine may miss a scrape
    text = re.sub(r"for: \d+[mh]", "for: 1s", text)
    text = re.sub(r"\[(15|20)m\]", "[20s]", text)
    text = re.sub(r"\[\d+[mh]\]", "[10s]", text)
    for old, new in changes.items():
        assert old in text, f"no alert has {old} any more"
        text = text.replace(old, new)
    return text


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels that ask something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]
