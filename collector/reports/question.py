"""What can be asked: one model of parameters, read from a query string, documented from its fields."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collector.publish.measures import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping

AskedGrain = Literal["day", "week", "month", "quarter", "year"]
Form = Literal["json", "csv", "parquet"]
_LONGEST_VALUE = 200
# What the engine's dates can hold, and a year less on both sides.
_EARLIEST, _LATEST = dt.date(1971, 1, 1), dt.date(2148, 12, 31)


class UsageError(Exception):
    """A question that cannot be answered; the text says what can be asked."""


class Question(BaseModel):
    """One question; every parameter may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    product: str | None = Field(None, description="A product's name; without it all products.")
    by: tuple[str, ...] = Field((), description="One field of the menu, or two joined by a comma, to break down by.")
    measure: str | None = Field(
        None, description="boots, runs or licences; by default licences for installbuilder, else boots."
    )
    grain: AskedGrain | None = Field(
        None,
        description="By default the finest that shows at least half of the reports. A quarter or year is the sum of "
        "its months where all of them were released; licences, which are distinct, are never summed.",
    )
    first: dt.date | None = Field(
        None, alias="from", ge=_EARLIEST, le=_LATEST, description="First day asked about; by default the latest period."
    )
    last: dt.date | None = Field(None, alias="to", ge=_EARLIEST, le=_LATEST, description="Last day asked about.")
    compare: Literal["previous"] | None = Field(None, description="Adds each value of the period before.")
    top: int | None = Field(None, ge=1, le=10_000, description="The largest so many of each period.")
    form: Form = Field("json", alias="format", description="json, csv or parquet.")

    @property
    def file_name(self) -> str:
        """What its answer is called as a file: `wordpress-by-os_version-week-from-2026-10-01.csv`."""
        since = [f"from-{self.first}"] if self.first else []
        parts = [self.product or "products", self.measure, *(f"by-{field}" for field in self.by), self.grain, *since]
        return f"{'-'.join(_NO_NAME.sub('', part) for part in parts if part)}.{self.form}"


NAMES = tuple(field.alias or name for name, field in Question.model_fields.items())
_NO_NAME = re.compile(r"[^a-z0-9_-]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EXPECTED = {
    "from": "is not a date such as 2026-10-31",
    "to": "is not a date such as 2026-10-31",
    "grain": "must be day, week, month, quarter or year",
    "compare": "can only be 'previous'",
    "top": "must be a number from 1 to 10,000",
    "format": "must be json, csv or parquet",
}


def read_question(parameters: Mapping[str, str]) -> Question:
    """The question in the parameters of a query string; an empty one counts as not given.

    Raises:
        UsageError: a parameter that does not exist or cannot be read; values are not repeated.
    """
    if unknown := sorted(parameters.keys() - set(NAMES)):
        names = ", ".join(name[:_LONGEST_VALUE] for name in unknown if name.isidentifier()) or "the given one"
        raise UsageError(f"no such parameter: {names}; there are: {', '.join(sorted(NAMES))}")
    if any(len(value) > _LONGEST_VALUE for value in parameters.values()):
        raise UsageError(f"no parameter has more than {_LONGEST_VALUE} characters")
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    for name in ("from", "to"):
        if name in given and not _DATE.fullmatch(given[name]):
            raise UsageError(f"'{name}' {_EXPECTED[name]}")
    if "by" in given:
        given["by"] = tuple(field.strip() for field in given["by"].split(",") if field.strip())
    try:
        question = Question(**given)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise UsageError(f"'{name}' {_EXPECTED.get(name, 'cannot be read')}") from None
    if question.measure and question.measure not in MEASURES:
        raise UsageError(f"no such measure; there are: {', '.join(MEASURES)}")
    if question.first and question.last and question.first > question.last:
        raise UsageError("'from' is after 'to'")
    return question
