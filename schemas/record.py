"""What was ever promised, kept beside what is promised now: `schemas/published/history/`.

    policy-1.toml ...                      each revision of the shipped policy, as it was
    image-boot-1/schema-1.json ...         each JSON Schema that this version of the report ever had
    image-boot-1/accepted.json             each example that it ever accepted: name -> body
    withdrawn.toml                         what is not promised any more, each with its reason and day

`make schemas` adds to it and never takes away. `record_problems` says where what is promised now falls short of what
was: clients that live in images nobody updates rely on it. What is to end all the same is listed in `withdrawn.toml`,
where everybody can read why.
"""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from schemas.compatibility import narrowed
from schemas.examples import EXAMPLES
from schemas.policy import SHIPPED_POLICY, Policy, _Entry, load_policy
from schemas.problems import parse, read_toml
from schemas.reports import REPORTS, Report, json_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD = Path(__file__).parent / "published" / "history"


class Ended(_Entry):
    """One thing that is not promised any more.

    Attributes:
        what: `report image-boot/1`, `example image-boot-1/NAME` or `clause ID`.
        reason: why, for whoever relied on it.
        on: since when.
    """

    what: str = Field(pattern=r"^(report [a-z-]+/[0-9]+|example [a-z-]+-[0-9]+/[a-z0-9.-]+|clause [a-z.-]+)$")
    reason: str = Field(min_length=10)
    on: dt.date


class Withdrawn(_Entry):
    """The content of `withdrawn.toml`."""

    ended: tuple[Ended, ...] = ()


def withdrawn(record: Path = RECORD) -> frozenset[str]:
    """What is not promised any more.

    Raises:
        ConfigurationError: an entry lacks its reason or its day.
    """
    path = record / "withdrawn.toml"
    return frozenset(each.what for each in parse(Withdrawn, read_toml(path), path).ended)


@cache
def revisions(record: Path = RECORD) -> tuple[Policy, ...]:
    """Every recorded revision of the shipped policy, the first one first.

    Raises:
        ConfigurationError: one that this program cannot read any more.
    """
    files = sorted(record.glob("policy-*.toml"), key=lambda path: int(path.stem.partition("-")[2]))
    return tuple(load_policy(file) for file in files)


def directory(report: Report) -> str:
    """The name of a report's directory: `image-boot-1`."""
    return f"{report.name}-{report.version}"


def accepted_ever(report: str, record: Path = RECORD) -> dict[str, Any]:
    """Every example that a report ever accepted, by its directory's name: name -> body."""
    path = record / report / "accepted.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def accepted_now(report: str) -> dict[str, Any]:
    """The examples of a report that are accepted today."""
    files = sorted((EXAMPLES / report).glob("*.pass.json"))
    return {file.name.removesuffix(".pass.json"): json.loads(file.read_text(encoding="utf-8")) for file in files}


def schemas_ever(report: str, record: Path = RECORD) -> list[dict[str, Any]]:
    """Every JSON Schema that a report ever had, the first one first."""
    files = sorted((record / report).glob("schema-*.json"), key=lambda path: int(path.stem.partition("-")[2]))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def record_problems(policy: Policy, reports: Mapping[str, Report] = REPORTS, record: Path = RECORD) -> list[str]:
    """Where `policy` and `reports` do not keep what was promised, one line each.

    That recorded examples are still accepted is for those to say who can validate: `collector check` and the tests.
    """
    ended = withdrawn(record)
    found = []
    by_directory = {directory(report): report for report in reports.values()}
    for path in sorted(path for path in record.iterdir() if path.is_dir()):
        name, _, version = path.name.rpartition("-")
        if f"report {name}/{version}" in ended:
            continue
        report = by_directory.get(path.name)
        if report is None:
            found.append(f"report {name}/{version} is gone, and clients send it; or end it in withdrawn.toml")
            continue
        found += [f"report {report.id}: {line}" for line in _narrowed(report, schemas_ever(path.name, record))]
        now = accepted_now(path.name)
        for example, body in accepted_ever(path.name, record).items():
            if f"example {path.name}/{example}" not in ended and now.get(example) != body:
                found.append(
                    f"example {path.name}/{example}.pass.json is gone or changed; a changed one gets another name, "
                    "and one that ends is listed in withdrawn.toml"
                )
    return found + _policy_problems(policy, ended, record)


def _narrowed(report: Report, before: list[dict[str, Any]]) -> list[str]:
    now = json_schema(report)
    return list(dict.fromkeys(line for earlier in before for line in narrowed(earlier, now)))


def _policy_problems(policy: Policy, ended: frozenset[str], record: Path) -> list[str]:
    found: list[str] = []
    clauses = {clause.id for clause in policy.clauses}
    for earlier in revisions(record):
        found += [
            f"permit {permit.field} from {source} of revision {earlier.revision} is gone, and clients send it; "
            "`withdrawn = true` blanks the field and the report still counts"
            for permit in earlier.permits_
            for source in permit.sources
            if policy.permit(source, permit.field) is None
        ]
        found += [
            f"clause {clause.id} of revision {earlier.revision} is gone; or end it in withdrawn.toml"
            for clause in earlier.clauses
            if clause.id not in clauses and f"clause {clause.id}" not in ended
        ]
        if earlier.revision == policy.revision and earlier != policy:
            found.append(
                f"the policy is not what is recorded as its revision {policy.revision}: "
                f"give it revision {policy.revision + 1}, and the day in `revised`; then make schemas"
            )
    return list(dict.fromkeys(found))


def additions(policy: Policy, record: Path = RECORD) -> dict[Path, str]:
    """What the record has to hold more of, or has already: each file that may grow, by its path within the record."""
    files: dict[Path, str] = {}
    for report in REPORTS.values():
        name, now = directory(report), json_schema(report)
        before = schemas_ever(name, record)
        number = len(before) if before and before[-1] == now else len(before) + 1
        files[Path(name) / f"schema-{number}.json"] = _pretty(now)
        # What is recorded stays as it was recorded.
        examples = accepted_now(name) | accepted_ever(name, record)
        files[Path(name) / "accepted.json"] = _pretty(dict(sorted(examples.items())))
    if policy.revision not in {earlier.revision for earlier in revisions(record)}:
        files[Path(f"policy-{policy.revision}.toml")] = SHIPPED_POLICY.read_text(encoding="utf-8")
    return files


def _pretty(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
