"""How a bad file of the operator's is reported: every problem at once, one line each, never a secret."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails


class ConfigurationError(Exception):
    """A policy, catalogue, menu or setting that cannot be used.

    Attributes:
        problems: one line for each thing that is wrong, each naming its file and entry.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """All problems in one line."""
        return "; ".join(self.problems)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        ConfigurationError: missing, unreadable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: not valid TOML: {error}"]) from error


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], content: dict[str, Any], path: Path) -> Model:
    """`content` as a `model`.

    Raises:
        ConfigurationError: one problem for each entry that does not fit.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError([f"{path}: {line}" for line in describe(error)]) from error


def describe(error: ValidationError) -> list[str]:
    """One line for each problem in `error`: where, and what is expected; never the value."""
    return [_line(problem) for problem in error.errors(include_url=False, include_input=False)]


def _line(problem: ErrorDetails) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    message = {
        "extra_forbidden": "there is no such entry",
        "missing": "is missing",
        "int_parsing": "is not a whole number",
        "int_type": "is not a whole number",
        "float_parsing": "is not a number",
        "path_type": "is not a path",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, ").replace("Input should be", "should be"))
    return f"{where}: {message}" if where else message
