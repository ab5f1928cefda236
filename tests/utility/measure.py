"""`make utility`: how much of the truth the published cells show, measured on a simulated fleet.

    python -m tests.utility.measure                                  prints the tables
    python -m tests.utility.measure --write deploy/UTILITY.md        and puts them between the page's markers
    python -m tests.utility.measure --privacy-only --write PAGE      only what follows from the menu, at once

The same seed gives the same tables: fleet, traffic and noise all follow from fixed seeds here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from collector import logs
from collector.publish.menu import load_menu
from schemas.policy import load_policy
from tests.utility import page, tables
from tests.utility.tables import PROFILES, Fleet
from tests.utility.world import SEED, Tell, simulate

REPORTS_A_DAY = (3_000, 100_000)
MADE_UP_PRODUCTS = (0, 200)
_TELL_EVERY_SECONDS = 2


def measure(directory: Path, reports_a_day: int, tell: Tell, seed: int = SEED, made_up_products: int = 0) -> Fleet:
    """Simulates one fleet and releases it under every profile."""
    directory.mkdir()
    world = simulate(directory, reports_a_day, tell, seed, made_up_products)
    return Fleet(world, {profile: world.release(profile, tell) for profile in PROFILES})


def progress(name: str) -> Tell:
    """Tells on standard error how far things are, every now and then."""
    told = 0.0

    def tell(what: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY_SECONDS:
            told = time.monotonic()
            print(f"{name}: {what}", file=sys.stderr, flush=True)  # noqa: T201

    return tell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports-a-day", type=int, nargs="+", default=REPORTS_A_DAY, metavar="N")
    parser.add_argument(
        "--made-up-products",
        type=int,
        nargs="+",
        default=MADE_UP_PRODUCTS,
        metavar="N",
        help="each fleet again with so many products more than the shipped catalogue has",
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--privacy-only", action="store_true", help="simulate nothing")
    parser.add_argument("--write", type=Path, metavar="PATH", help="put the tables into this page")
    asked = parser.parse_args()
    logs.configure("text", "measure", quiet=True)
    parts = {"privacy": tables.privacy(load_menu(load_policy()))}
    if not asked.privacy_only:
        with tempfile.TemporaryDirectory() as directory:
            fleets = [
                measure(Path(directory) / f"{n}+{more}", n, progress(f"{n:,} a day, {more} more"), asked.seed, more)
                for more in asked.made_up_products
                for n in asked.reports_a_day
            ]
        parts["utility"] = tables.utility(fleets)
    for content in parts.values():
        print(content, end="\n\n")  # noqa: T201
    if asked.write:
        page.write(asked.write, parts)


if __name__ == "__main__":
    main()
