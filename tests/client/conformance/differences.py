"""Where a client is known to differ from the contract, and why that is left so.

A case that is listed here must fail for that client: one that no longer does fails the suite, and so does
one that is not a case at all. An empty list is what to aim for.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """clients, suite, cases: whose, and the names of the cases. clause: of the contract. reason: why it is left so."""

    clients: tuple[str, ...]
    suite: str
    cases: tuple[str, ...]
    clause: str
    reason: str


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        ("python",),
        "hostile-arguments",
        ("dashes-0", "dot-2", "dot-3"),
        "Commands: `--opt value` and `--opt=value` are the same",
        "argparse takes a value that is two dashes for the end of the options: nothing is sent that is wrong, but "
        "`show` does not say that a value was left out",
    ),
)
