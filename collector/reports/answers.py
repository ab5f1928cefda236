"""The shapes of the API's answers, for its document; tests hold real answers against them."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

_STRICT = ConfigDict(extra="forbid")


class Dimensions(BaseModel):
    """What a value is broken down by; only the fields that were asked for are there."""

    model_config = _STRICT

    product: str = Field(description="The product's name.")
    product_version: str | None = Field(None, description="As reported, for example 6.4.2-0.")
    version_line: str | None = Field(None, description="The version's leading numbers, for example 6.4.")
    source: str | None = Field(None, description="vm, cloud or container.")
    os_version: str | None = Field(None, description="For example debian-12; empty where it was not reported.")
    instance_type: str | None = Field(None, description="For example t3.micro; empty where it was not reported.")
    language: str | None = Field(None, description="BCP 47, for example pt-BR; empty where it was not reported.")


class Value(Dimensions):
    """One published value."""

    period: dt.date = Field(description="First day of its day, week, month, quarter or year.")
    value: int | None = Field(description="The protected count; none where a quarter or year lacks a month.")
    error: int | None = Field(description="Half the width of its 95 % interval, from its noise alone.")
    released_months: int | None = Field(None, description="Of a quarter or year: in how many months it was released.")
    months: int | None = Field(None, description="Of a quarter or year: how many months it has.")
    previous: int | None = Field(None, description="With compare=previous: the value of the period before, if shown.")
    change: int | None = Field(
        None, description="With compare=previous: the difference, if both are shown and complete."
    )
    change_error: int | None = Field(None, description="With compare=previous: its 95 % error.")


class Remainder(BaseModel):
    """What a product's total has beyond the values shown."""

    model_config = _STRICT

    period: dt.date
    product: str
    value: int
    error: int


class SoFar(BaseModel):
    """The open day until an hour."""

    model_config = _STRICT

    period: dt.date
    hour: int = Field(description="UTC, until which it counts.")
    cells: list[Value]


class UsageAnswer(BaseModel):
    """How much something is used."""

    model_config = _STRICT

    measure: str
    means: str = Field(description="The measure in words.")
    grain: str
    fields: list[str] = Field(description="What the values are broken down by, product first.")
    periods: list[dt.date] = Field(description="The released periods asked about.")
    incomplete: list[dt.date] = Field(description="Those of them that lack days or reports.")
    cells: list[Value] = Field(description="By period, largest first.")
    remainder: list[Remainder] = Field(description="Not for totals, licences, quarters and years.")
    so_far: SoFar | None = Field(description="The open day, where it is released and no earlier time was asked about.")
    available: dict[str, tuple[dt.date, dt.date]] = Field(
        description="First and last released period of each grain of this table."
    )
    notes: list[str] = Field(description="What must be said beside the numbers.")
    simulated: bool = Field(description="Whether the reports were made up by `collector simulate`.")


class Latest(BaseModel):
    """A product's latest total."""

    model_config = _STRICT

    period: dt.date
    value: int
    error: int


class ProductAnswer(BaseModel):
    """A product of the catalogue."""

    model_config = _STRICT

    name: str
    title: str
    measures: list[str] = Field(description="What is counted of it.")
    latest: dict[str, Latest] = Field(description="Its total in the latest released day, week and month, where shown.")


class ProductsAnswer(BaseModel):
    """All products."""

    model_config = _STRICT

    products: list[ProductAnswer]
    through: dt.date | None = Field(description="The last day that is closed.")


class ReleaseAnswer(BaseModel):
    """One period that was released, and by which rules."""

    model_config = _STRICT

    grain: str
    period: dt.date
    released_on: dt.date
    complete: bool
    menu: str
    profile: str
    k: int
    gate_sigmas: int
    report_sigma: int
    licence_sigma: int
    so_far_sigma: int
    code_version: str


class ReleasesAnswer(BaseModel):
    """What was released, the latest first."""

    model_config = _STRICT

    releases: list[ReleaseAnswer]


class ErrorAnswer(BaseModel):
    """Why there is no answer, and what to do instead."""

    model_config = _STRICT

    error: str
