"""HTTP servers of the tests' own, on this machine, each in a thread."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any


class Quiet(ThreadingHTTPServer):
    """One whose clients may go away, or be refused, before it has answered."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def serving(
    handler: Callable[..., BaseHTTPRequestHandler],
    kind: type[HTTPServer] = ThreadingHTTPServer,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Serve meanwhile; what it gives is host and port."""
    server = kind(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
