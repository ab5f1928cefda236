"""How long pages take: `python -m tests.reports.pages.speed [PRODUCTS] [DAYS]`; prints milliseconds, asserts nothing.

New: the first time that a page is asked for, with a warm process. Kept: asked for again. No browser, no drawing.
Under load: after a release, when a running collector has made ready what people look at first, and once more when
what they look at besides is kept too; and at its worst, with nothing made ready.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import logging
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.configuration import read_configuration
from collector.reports.pages.site import Pages
from collector.settings import Settings
from collector.store.engine import open_embedded
from collector.store.migrate import migrate
from schemas.catalogue import Catalogue
from tests.reports.pages.generated_store import LAST, fill
from tests.reports.pages.running import api_and_pages, library_on

PAGES = {
    "overview": "/?q={n}",
    "overview by day": "/?grain=day&q={n}",
    "product": "/products/product-{n}",
    "product by week": "/products/product-{n}?grain=week&compare=previous",
    "product by month": "/products/product-{n}?grain=month",
    "product by quarter": "/products/product-{n}?grain=quarter",
    "product, a year by day": "/products/product-{n}?grain=day&from=2025-11-25",
    "nobody's product": "/products/nobody-{n}",
    "releases": "/releases?page={p}",
    "data": "/data",
    "api": "/api",
    "picture": "/charts/product-{n}/versions.svg?grain=week&from=2026-05-25",
}
_TRIES = 20
PER_SECOND, LOAD_SECONDS = 20, 30


async def measure(client: TestClient) -> None:
    for name, address in PAGES.items():
        new, kept, size = [], [], 0
        for n in range(_TRIES + 1):
            path = address.format(n=n, p=n % 8 + 1)
            for times in (new, kept):
                started = time.perf_counter()
                async with client.get(path) as response:
                    size = len(await response.read())
                    assert response.status == 200, path
                times.append(1000 * (time.perf_counter() - started))
        # The first of all warms what is warmed once.
        told = [f"{statistics.median(t[1:]):6.0f} {sorted(t[1:])[-2]:6.0f}" for t in (new, kept)]
        sys.stdout.write(f"{name:24} new: median, p95 {told[0]}   kept: {told[1]} ms  {size // 1024:5} KiB\n")


async def under_load(client: TestClient, products: int) -> None:
    """Readers come at a steady pace, whether or not the ones before are done; few products are looked at by most."""
    dice = random.Random(7)
    kinds = {**PAGES, "overview": "/", "overview by day": "/?grain=day"}
    kinds |= {"API": "/v1/usage?product=product-{n}&by=product_version&grain=week&from=2026-01-05"}
    kinds |= {"API, all products": "/v1/products"}
    took: dict[str, list[float]] = {kind: [] for kind in kinds}

    async def read(kind: str) -> None:
        number = min(int(dice.paretovariate(0.7)), products) - 1
        started = time.perf_counter()
        async with client.get(kinds[kind].format(n=number, p=number % 8 + 1)) as response:
            await response.read()
            assert response.status == 200
        took[kind].append(1000 * (time.perf_counter() - started))

    reading = []
    for _ in range(PER_SECOND * LOAD_SECONDS):
        reading.append(asyncio.create_task(read(dice.choice(list(kinds)))))
        await asyncio.sleep(1 / PER_SECOND)
    await asyncio.gather(*reading)
    sys.stdout.write(f"{PER_SECOND} requests a second for {LOAD_SECONDS} s:\n")
    for kind, times in {**took, "all": [one for several in took.values() for one in several]}.items():
        middle, high = statistics.median(times), sorted(times)[int(0.95 * len(times))]
        sys.stdout.write(f"{kind:24} median {middle:6.0f}   p95 {high:6.0f} ms   {len(times):5} requests\n")


async def main() -> None:
    products, days = (int(n) for n in (*sys.argv[1:], 200, 730)[:2])
    configuration = read_configuration(Settings(data=Path("unused")))
    with tempfile.TemporaryDirectory() as directory:
        engine = open_embedded(Path(directory) / "engine")
        migrate(engine, LAST)
        fill(engine, [f"product-{n}" for n in range(products)], length_days=days)
        ((cells, parts),) = engine.rows("SELECT count(), uniq(_part) FROM public.cells")
        sys.stdout.write(f"{products} products, {days} days: {cells:,} cells in {parts} parts\n")
        one = configuration.catalogue.products["wordpress"]
        catalogue = Catalogue(products={f"product-{n}": one for n in range(products)})

        def served() -> tuple[Pages, TestClient]:
            library = library_on(engine, configuration, catalogue=catalogue)
            api, pages = api_and_pages(library, configuration, lambda: dt.datetime.now(dt.UTC))
            app = web.Application()
            app.add_routes([*api.routes(), *pages.routes()])
            return pages, TestClient(TestServer(app))

        logging.disable()
        gc.collect()
        gc.freeze()  # as the storekeeper does
        _, client = served()
        async with client:
            await measure(client)
        pages, client = served()
        async with client:
            started = time.perf_counter()
            await asyncio.to_thread(pages.make_ready, lambda: False)
            sys.stdout.write(f"made ready in {time.perf_counter() - started:.0f} s; after it: ")
            await under_load(client, products)
            sys.stdout.write("then: ")
            await under_load(client, products)
        _, client = served()
        async with client:
            sys.stdout.write("nothing kept at the start: ")
            await under_load(client, products)
        engine.close()


if __name__ == "__main__":
    asyncio.run(main())
