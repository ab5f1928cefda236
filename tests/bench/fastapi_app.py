"""A collector as most people would write it: `python -m tests.bench.fastapi_app CLICKHOUSE_PORT` prints its address.

One pydantic model, one list, one insert each second. What is in the list when it stops or the database is away is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

import clickhouse_connect
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, StringConstraints

from tests.bench.targets.database import COLUMNS, TABLE

FLUSH_SECONDS = 1
Word = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._+~-]*$", max_length=64)]


class Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    report_id: UUID
    source: Literal["vm", "cloud", "container"]
    product: Word
    product_version: Word
    os_version: Word = ""
    instance_type: Word = ""
    language: Word = ""


reports: list[list[object]] = []


async def flush(port: int) -> None:
    client = await clickhouse_connect.get_async_client(host="127.0.0.1", port=port)
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        if reports:
            rows = reports.copy()
            reports.clear()
            await client.insert(TABLE, rows, column_names=COLUMNS)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    task = asyncio.create_task(flush(int(sys.argv[1])))
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/reports/image-boot/1", status_code=202)
async def take(report: Report) -> dict[str, str]:
    reports.append([getattr(report, column) for column in COLUMNS])
    return {"outcome": "accepted"}


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
