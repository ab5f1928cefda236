"""The privacy policy as the program reads it.

`policy.toml` beside this module is the shipped policy; an operator may point the settings at a
tightened copy. Questions are asked in the policy's words: `policy.permits(source, field)`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.problems import ConfigurationError, parse, read_toml

SHIPPED_POLICY = Path(__file__).parent / "policy.toml"

Source = Literal["vm", "cloud", "container", "installbuilder"]
IMAGE_SOURCES: tuple[Source, ...] = ("vm", "cloud", "container")
# An expiry that lies further ahead than this is no promise of a review.
MOST_DAYS_TO_REVIEW = 3 * 366


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Clause(_Entry):
    """One paragraph of the policy and what this system does about it.

    Attributes:
        by: the tests that would fail if it were not kept, each as `tests/FILE.py::test_name`, or `tests/FILE.py`
            for all of a file.
        why: the decision or the reason, in words.
    """

    id: str = Field(min_length=1)
    says: str = Field(min_length=1)
    status: Literal["enforced", "permitted, not used", "outside"]
    by: tuple[str, ...] = ()
    why: str = ""

    @field_validator("by", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return ((value,) if value else ()) if isinstance(value, str) else value


class Permit(_Entry):
    """One field that may leave a machine, from which sources, by which clause and until when.

    Attributes:
        owner: the role, never a person, that answers for the field and reviews it.
        last_review: when it last did.
        expires: the last day that the permit holds without another review, see `schemas/review.py`.
        retention_days: how long a report with the field is kept at most.
        withdrawn: the field is blanked on arrival.
    """

    field: str
    sources: tuple[Source, ...] = Field(min_length=1)
    clause: str
    basis: Literal["named", "such as", "counting"]
    signed_off_by: str = ""
    purpose: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    last_review: dt.date
    expires: dt.date
    retention_days: int = Field(ge=1, le=400)
    withdrawn: bool = False


class Policy(_Entry):
    """The whole policy: who answers for it, its clauses and its permits.

    Attributes:
        dated: the date of the policy that lawyers wrote.
        revision: of this file, which changes with reviews and tests too; each is kept, see `schemas/record.py`.
        revised: when this revision was made.
    """

    id: str
    title: str
    dated: dt.date
    revision: int = Field(default=1, ge=1)
    revised: dt.date | None = None
    contact: str
    url: str
    clauses: tuple[Clause, ...]
    permits_: tuple[Permit, ...] = Field(alias="permits")

    def permit(self, source: str, field: str) -> Permit | None:
        """The entry that speaks of `field` from `source`, withdrawn or not."""
        return next((p for p in self.permits_ if p.field == field and source in p.sources), None)

    def permits(self, source: str, field: str) -> bool:
        """Whether `field` may be stored when it comes from `source`."""
        permit = self.permit(source, field)
        return permit is not None and not permit.withdrawn

    def withdrawn_fields(self, source: str) -> frozenset[str]:
        """Fields that old clients may still send from `source` and that are blanked on arrival."""
        return frozenset(p.field for p in self.permits_ if p.withdrawn and source in p.sources)

    def known_fields(self) -> frozenset[str]:
        """Every field that is permitted from at least one source."""
        return frozenset(p.field for p in self.permits_)

    def problems(self) -> list[str]:
        """What contradicts itself in this policy, one line each."""
        clauses = {clause.id for clause in self.clauses}
        found = [f"clause {i}: given {n} times" for i, n in Counter(c.id for c in self.clauses).items() if n > 1]
        for clause in self.clauses:
            if clause.status == "enforced" and not clause.by:
                found.append(f"clause {clause.id}: says enforced, but `by` names no test")
            if clause.status != "enforced" and not clause.why:
                found.append(f"clause {clause.id}: says {clause.status}, but gives no reason in `why`")
        seen: Counter[tuple[str, str]] = Counter()
        for permit in self.permits_:
            seen.update((permit.field, source) for source in permit.sources)
            if permit.clause not in clauses:
                found.append(f"permit {permit.field}: clause {permit.clause} is missing")
            if permit.basis == "such as" and not permit.signed_off_by:
                found.append(f"permit {permit.field}: basis 'such as' needs `signed_off_by`")
            if permit.field == "license_key" and set(permit.sources) != {"installbuilder"}:
                found.append("permit license_key: only source installbuilder may send a licence key")
            if permit.field == "product" and permit.withdrawn:
                found.append("permit product: cannot be withdrawn; remove the product from the catalogue instead")
            found += _review_problems(permit)
        found += [f"permit {f} from {s}: given {n} times" for (f, s), n in seen.items() if n > 1]
        return found


def _review_problems(permit: Permit) -> list[str]:
    found = []
    if "@" in permit.owner:
        found.append(f"permit {permit.field}: owner is a role, not a person's address")
    if permit.expires < permit.last_review:
        found.append(f"permit {permit.field}: expires {permit.expires}, before its last review {permit.last_review}")
    if (permit.expires - permit.last_review).days > MOST_DAYS_TO_REVIEW:
        found.append(f"permit {permit.field}: expires {permit.expires}, more than three years after its last review")
    return found


def load_policy(path: Path = SHIPPED_POLICY) -> Policy:
    """The policy at `path`.

    Raises:
        ConfigurationError: unreadable, or every contradiction found in it.
    """
    policy = parse(Policy, read_toml(path), path)
    problems = policy.problems()
    if problems:
        raise ConfigurationError([f"{path}: {problem}" for problem in problems])
    return policy
