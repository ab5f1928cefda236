"""How large the clients are that are embedded; `tests/bench/clients.py` measures what they cost."""

from __future__ import annotations

from tests.bench.clients import clients
from tests.bench.row import Row, row


def measure(quick: bool) -> dict[str, list[Row]]:  # noqa: ARG001 - as all parts
    rows: list[Row] = []
    seen = set()
    for client in clients():
        if client.is_ours and client.files not in seen:
            rows.append(row(client.name, [client.size / 1000], "kB"))
        seen.add(client.files)
    return {"rows": rows}
