"""What a report costs, as measured: `costs.json`, written by `python -m tests.bench.costs --write`.

    {
      "machine": "2 virtual cores ...",
      "costs": {"worker_tls_us": {"value": 431, "source": "how it was measured", "measured_on": "2026-11-27"}, ...}
    }

One entry for each field of `Costs`, which say what they mean; the page and the sums are made from them. Values are
rounded to three digits: the next run on the same machine differs by more than that.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

COSTS = Path(__file__).parent / "costs.json"
_DIGITS = 3


class Measured(NamedTuple):
    """A figure and how it was measured."""

    value: float
    source: str


class Costs(BaseModel):
    """Figures with their units in the names: `_us` is microseconds of CPU time, `_mib` memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    worker_tls_us: float = Field(gt=0, description="worker, a report on a new TLS connection")
    worker_new_us: float = Field(gt=0, description="worker, a report on a new connection without TLS")
    worker_keepalive_us: float = Field(gt=0, description="worker, a report on a connection that is kept open")
    worker_batch_us: float = Field(gt=0, description="worker, a report in an NDJSON batch")
    store_load_us: float = Field(gt=0, description="store, loading a report")
    closing_day_us: float = Field(gt=0, description="store, closing and releasing a day, for each of its reports")
    closing_growth_us: float = Field(ge=0, description="... and more, for each million reports of a server's day")
    closing_month_us: float = Field(ge=0, description="store, releasing a month, for each of its reports")
    worker_mib: float = Field(gt=0, description="memory of a worker")
    supervisor_mib: float = Field(gt=0, description="memory of the supervisor")
    store_idle_mib: float = Field(gt=0, description="memory of the store process that has nothing to do")
    closing_mib: float = Field(ge=0, description="memory that a closing takes beside that")
    closing_mib_per_million: float = Field(ge=0, description="... and more, for each million reports of the day")
    wire_tls_bytes: float = Field(gt=0, description="network, both ways, a report on a new TLS connection")
    wire_new_bytes: float = Field(gt=0, description="network, both ways, a report on a new connection without TLS")
    wire_keepalive_bytes: float = Field(gt=0, description="network, both ways, a report on a connection kept open")
    wire_batch_bytes: float = Field(gt=0, description="network, both ways, a report in an NDJSON batch")
    spool_bytes: float = Field(gt=0, description="disk, a report in the spool")
    received_bytes: float = Field(gt=0, description="disk, a report in the store that is not counted yet")
    counted_bytes: float = Field(gt=0, description="disk, a counted report in the store")
    cell_bytes: float = Field(gt=0, description="disk, a published cell")
    backup_report_bytes: float = Field(gt=0, description="disk, a counted report in a backup")
    backup_cell_bytes: float = Field(gt=0, description="disk, a published cell in a backup")
    cells_per_product_day: float = Field(gt=0, description="cells that a product brings on a day, all grains together")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    source: str = Field(min_length=1)
    measured_on: dt.date


class CostsFile(BaseModel):
    """The file: figures with where each is from, and the machine that they hold for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str = Field(min_length=1)
    costs: dict[str, _Entry]

    def figures(self) -> Costs:
        """The figures alone; every one must be there, and no other."""
        return Costs(**{name: entry.value for name, entry in self.costs.items()})


def read_file(path: Path = COSTS) -> CostsFile:
    """The file as it is.

    Raises:
        OSError, ValidationError: it cannot be read, or an entry does not fit.
    """
    return CostsFile.model_validate_json(path.read_bytes())


def updated(found: Mapping[str, Measured], day: dt.date, machine: str, held: CostsFile | None = None) -> str:
    """The text of the file with figures that were measured anew.

    Args:
        found: by the names of `Costs`.
        day: when they were measured.
        machine: where, in words.
        held: the file that figures which are not in `found` are taken from.

    Raises:
        ValueError: a name is none of the figures, one is missing, or figures of two machines would stand in one file.
    """
    kept = {} if held is None else {name: entry for name, entry in held.costs.items() if name not in found}
    if held is not None and kept and held.machine != machine:
        raise ValueError(f"measured elsewhere and not anew: {', '.join(kept)}")
    new = {
        name: _Entry(value=_rounded(value), source=source, measured_on=day) for name, (value, source) in found.items()
    }
    entries = kept | new
    file = CostsFile(machine=machine, costs={name: entries[name] for name in Costs.model_fields if name in entries})
    if unknown := entries.keys() - Costs.model_fields.keys():
        raise ValueError(f"no such figure: {', '.join(sorted(unknown))}")
    file.figures()
    return json.dumps(file.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
