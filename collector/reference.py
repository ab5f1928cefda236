"""Writes deploy/REFERENCE.md: every setting, page, answer, metric and log event, from the code that has them.

`make schemas` runs it; a test fails when the page and the program differ.
"""

from __future__ import annotations

from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from collector import metrics
from collector.events import EVENTS
from collector.ingest.answers import RETRY_AFTER_SECONDS
from collector.ingest.openapi import PAGES
from collector.settings import PREFIX, Settings
from schemas.outcomes import Outcome

PAGE = Path(__file__).parent.parent / "deploy" / "REFERENCE.md"

_HEAD = """# Reference

Settings, pages, answers, metrics and log events. Made from the program by `make schemas`; do not edit.
[OPERATING.md](OPERATING.md) tells what to do with them.
"""
# Their defaults are paths inside the installed package.
_SHIPPED = {"policy", "catalogue"}


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *_settings(), *_pages(), *_answers(), *_metrics(), *_events()])


def _settings() -> list[str]:
    lines = [
        "## Settings",
        "",
        f"An option (`--ingest-port`), an environment variable (`{PREFIX}INGEST_PORT`) or a line of the file given by",
        f"`--config` or `{PREFIX}CONFIG` (`ingest_port = 8080`); the first wins.",
        "",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "shipped" if name in _SHIPPED else _written(field.default)
        lines.append(f"| `{name}` | {default} | {field.description} |")
    return [*lines, ""]


def _written(default: object) -> str:
    if default is None or default == ():
        return ""
    return f"{default:,}" if isinstance(default, int | float) and default >= 10_000 else f"`{default}`"  # noqa: PLR2004 - where commas help


def _pages() -> list[str]:
    lines = [
        "## Pages",
        "",
        "What the ingest port tells everybody, beside taking reports. What the policy decides is that of the file in",
        "use, from SIGHUP on; caches may keep it for a minute.",
        "",
        "| page | what |",
        "| --- | --- |",
    ]
    return [*lines, *(f"| `{path}` | {what} |" for path, (what, _type, _schema) in PAGES.items()), ""]


def _answers() -> list[str]:
    lines = [
        "## Answers",
        "",
        "Retry-After is a random number of seconds in the range, so that those who were sent away together do not",
        "come back together.",
        "",
        "| status | outcome | Retry-After | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for outcome in sorted(Outcome, key=lambda o: o.status):
        seconds = RETRY_AFTER_SECONDS.get(outcome)
        again = f"{seconds}-{2 * seconds}" if seconds else ""
        lines.append(f"| {outcome.status} | `{outcome.value}` | {again} | {outcome.meaning} |")
    return [*lines, ""]


def _metrics() -> list[str]:
    lines = [
        "## Metrics",
        "",
        "At `/metrics` on the metrics port, added up over all processes. Labels come from closed lists.",
        "",
        "| metric | kind | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - nothing else tells them
            lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return [*lines, ""]


def _events() -> list[str]:
    lines = [
        "## Log events",
        "",
        "One JSON line each on standard error, with `event`, `level`, `timestamp`, `process` and the fields below.",
        "No event can have another field.",
        "",
        "| event | fields | meaning |",
        "| --- | --- | --- |",
    ]
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in sorted(event.fields))
        lines.append(f"| `{name}` | {fields} | {event.meaning} |")
    return [*lines, ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
