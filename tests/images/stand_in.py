"""A stand-in for the collector inside a network of its own: `https://telemetry.test`, good or bad in a chosen way.

usage: python -m tests.images.stand_in BEHAVIOUR LOG CERTIFICATE

Each request becomes one JSON line in LOG: path, headers and body. Behaviours:

    accept     202
    refuse     503 with a body, at once
    stop       410
    redirect   307 to another port of the same host, where `accept` listens
    hang       takes the connection and the request, says nothing
    slow       drips one byte of its answer a second
    mute       takes the connection and never starts TLS
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATUS = {"accept": 202, "refuse": 503, "stop": 410, "redirect": 307}


def main(behaviour: str, log: str, certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if behaviour == "mute":
        with socket.create_server(("127.0.0.1", 443)) as server:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            kept = [server.accept() for _ in range(1000)]
        del kept
    if behaviour == "redirect":
        threading.Thread(target=_server("accept", 8443, log, context).serve_forever, daemon=True).start()
    server = _server(behaviour, 443, log, context)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


def _server(behaviour: str, port: int, log: str, context: ssl.SSLContext) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def setup(self) -> None:
            # The handshake in the request's own thread: one client that stalls stalls no other.
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with Path(log).open("a", encoding="utf-8") as file:
                told = {"port": port, "path": self.path, "headers": dict(self.headers.items()), "body": body}
                file.write(json.dumps(told) + "\n")
            if behaviour == "hang":
                time.sleep(60)
            elif behaviour == "slow":
                for byte in b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n":
                    self.wfile.write(bytes([byte]))
                    time.sleep(1)
            else:
                self.send_response(STATUS[behaviour])
                self.send_header("Content-Length", "0")
                self.send_header("Location", "https://telemetry.test:8443" + self.path)
                self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """A client that goes away in the middle is what some tests are about."""

    return Server(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    main(*sys.argv[1:])
