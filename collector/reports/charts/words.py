"""Periods, fields and numbers as a person reads them."""

from __future__ import annotations

import datetime as dt
import math
import unicodedata

NOT_REPORTED = "(not reported)"
NOT_SHOWN = "not shown"
OTHERS = "other shown values"
FIELD_NAMES = {
    "product": "product",
    "product_version": "version",
    "version_line": "version line",
    "source": "source",
    "os_version": "operating system",
    "instance_type": "instance type",
    "language": "language",
}
_PLURALS = {"day": "days", "week": "weeks", "month": "months", "quarter": "quarters", "year": "years"}


def period_name(grain: str, start: str) -> str:
    """A period in words: `2026-10-31`, `week of 2026-10-26`, `October 2026`, `Q4 2026`, `2026`."""
    day = dt.date.fromisoformat(start)
    match grain:
        case "week":
            return f"week of {start}"
        case "month":
            return f"{day:%B %Y}"
        case "quarter":
            return f"Q{(day.month + 2) // 3} {day.year}"
        case "year":
            return str(day.year)
        case _:
            return start


def periods(grain: str, n: int) -> str:
    """So many periods in words: `1 week`, `26 weeks`."""
    return f"{n} {grain}" if n == 1 else f"{n} {_PLURALS[grain]}"


def label(value: str) -> str:
    """A value as it may be shown: an empty one has a name, and nothing in it can turn the text around it."""
    if not value:
        return NOT_REPORTED
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c).startswith("C") else c for c in value)


def number(value: float) -> str:
    """A whole number with its thousands marked."""
    return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """A whole number with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def with_error(value: float, error: float) -> str:
    """A number and its 95 % error, on one line: `4,000 ± 40`."""
    return f"{number(value)}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{number(error)}"


def percent(share: float) -> str:
    """A share in percent: `58.2 %`."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def percent_error(error: float) -> str:
    """The error of a share, in the same unit and rounded up as errors are: `0.9`."""
    return f"{math.ceil(round(1000 * error, 6)) / 10:.1f}"


def signed_percent(change: float) -> str:
    """A relative change in percent, with its sign; one decimal below ten, for small ones are told apart by it."""
    hundred = 100 * change
    text = f"{hundred:+.1f}" if abs(hundred) < 9.95 else f"{hundred:+,.0f}"  # noqa: PLR2004 - rounds to ten
    return text.replace("-", "\N{MINUS SIGN}") + "\N{NO-BREAK SPACE}%"
