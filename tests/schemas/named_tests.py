"""Whether a test that a document names exists: found by reading test files, not by running them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.conftest import PROJECT


@cache
def named_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, functions) and n.name.startswith("test_"))


def exists(test: str) -> bool:
    """Whether `tests/FILE.py` holds a test, or the one of this name with `::test_name`."""
    file, _, name = test.partition("::")
    path = PROJECT / file
    if not (file.startswith("tests/") and path.is_file()):
        return False
    return name in named_in(path) if name else bool(named_in(path))
