"""The menu of published tables, read from TOML, and what may not stand in one."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from collector.publish.measures import FIELDS, MEASURES
from collector.publish.periods import Grain
from schemas.problems import ConfigurationError, parse, read_toml

if TYPE_CHECKING:
    from schemas.policy import Policy

SHIPPED_MENU = Path(__file__).parent / "menu.toml"
# The least protection that may be configured: the values the design was examined with.
SMALLEST_K = 10
SMALLEST_GATE_SIGMAS = 6
SMALLEST_REPORT_SIGMA = 5
SMALLEST_LICENCE_SIGMA = 12
SMALLEST_SO_FAR_SIGMA = 20
MOST_CELLS_PER_LICENCE = 4


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Table(_Entry):
    """One published table: a measure, broken down by the product and up to two fields, for some grains."""

    measure: Literal["boots", "runs", "licences"]
    fields: tuple[str, ...] = Field(max_length=2)
    grains: tuple[Grain, ...] = Field(min_length=1)

    @property
    def breakdown(self) -> str:
        """The fields as they stand in `public.cells`: joined by "+", empty for the total."""
        return "+".join(self.fields)


class Profile(_Entry):
    """How much noise: standard deviations for tables of reports, of licences, and of the open day so far."""

    report_sigma: int = Field(ge=1, le=1000)
    licence_sigma: int = Field(ge=1, le=1000)
    so_far_sigma: int = Field(ge=1, le=1000)


class Menu(_Entry):
    """All published tables and their protection."""

    version: int = Field(ge=1)
    k: int = Field(ge=1, le=1000)
    gate_sigmas: int = Field(ge=1, le=20)
    cells_per_licence: int = Field(ge=1, le=100)
    profiles: dict[str, Profile]
    tables: tuple[Table, ...] = Field(min_length=1)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with anything in the menu."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def of(self, grain: Grain) -> list[Table]:
        """The tables that are released for `grain`."""
        return [table for table in self.tables if grain in table.grains]

    def sigma(self, table: Table, grain: Grain, profile: str) -> int:
        """The noise's standard deviation for a table of a grain, in units of its measure."""
        noise = self.profiles[profile]
        if grain == "so_far":
            return noise.so_far_sigma
        return noise.licence_sigma if MEASURES[table.measure].per_licence else noise.report_sigma

    def problems(self, policy: Policy) -> list[str]:
        """What may not stand in a menu under `policy`, one line each."""
        found = [f"k = {self.k}: fewer than {SMALLEST_K} units behind a number"] if self.k < SMALLEST_K else []
        if self.gate_sigmas < SMALLEST_GATE_SIGMAS:
            found.append(f"gate_sigmas = {self.gate_sigmas}: less than {SMALLEST_GATE_SIGMAS}")
        if self.cells_per_licence > MOST_CELLS_PER_LICENCE:
            found.append(f"cells_per_licence = {self.cells_per_licence}: more than {MOST_CELLS_PER_LICENCE}")
        for name, noise in self.profiles.items():
            least = Profile(
                report_sigma=SMALLEST_REPORT_SIGMA,
                licence_sigma=SMALLEST_LICENCE_SIGMA,
                so_far_sigma=SMALLEST_SO_FAR_SIGMA,
            ).model_dump()
            if any(sigma < least[which] for which, sigma in noise.model_dump().items()):
                found.append(f"profile {name}: less noise than {', '.join(f'{w} {s}' for w, s in least.items())}")
        found += [f"profile {name}: is missing" for name in ("standard", "strict") if name not in self.profiles]
        # The same cells under two names would be two draws of noise for one count.
        for (measure, fields), n in Counter((t.measure, frozenset(t.fields)) for t in self.tables).items():
            if n > 1:
                found.append(f"table {measure} by {'+'.join(sorted(fields)) or 'product'}: given {n} times")
        for table in self.tables:
            found += [f"table {table.measure} by {table.breakdown or 'product'}: {p}" for p in _doubts(table, policy)]
        return found


def _doubts(table: Table, policy: Policy) -> list[str]:
    measure = MEASURES[table.measure]
    found = [f"{field} is no field" for field in table.fields if field not in FIELDS]
    found += [
        f"no clause permits {field} from source {source}"
        for field in table.fields
        if field in FIELDS
        for source in measure.sources
        if policy.permit(source, FIELDS[field]) is None and field != "source"
    ]
    if len(set(table.fields)) < len(table.fields):
        found.append("names a field twice")
    if {"product_version", "version_line"} <= set(table.fields):
        found.append("a version line follows from its version: the cells are those of product_version alone")
    if "source" in table.fields and len(measure.sources) == 1:
        found.append("this measure has one source")
    if "so_far" in table.grains and table.measure != "boots":
        found.append("the open day is released for boots only")
    if measure.per_licence and table.grains != ("month",):
        found.append("licences are released by month only: fine time or fine fields, never both")
    return found


def load_menu(policy: Policy, path: Path | None = None) -> Menu:
    """The menu at `path` (the shipped one if None), checked against `policy`.

    Raises:
        ConfigurationError: unreadable, or everything that may not stand in it.
    """
    path = path or SHIPPED_MENU
    menu = parse(Menu, read_toml(path), path)
    problems = menu.problems(policy)
    if problems:
        raise ConfigurationError([f"{path}: {problem}" for problem in problems])
    return menu
