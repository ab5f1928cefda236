"""A bare aiohttp handler that reads the body and answers 202: the floor that ingest is compared with.

`python -m tests.bench.bare_handler [CERTIFICATE KEY]` prints its address.
"""

from __future__ import annotations

import socket
import ssl
import sys

import uvloop
from aiohttp import web


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"outcome": "accepted"}, status=202)


def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/reports/image-boot/1", take)
    context = None
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[1:])
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"{'https' if context else 'http'}://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    web.run_app(app, sock=listening, ssl_context=context, access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
