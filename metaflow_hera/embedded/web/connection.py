"""How many connections there may be, how long one may be silent, and how much it may send beside bodies.

Every user of this machine can connect, token or not, and each connection takes one of the descriptors that
the server's pods need too.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FIRST_SECONDS = 10.0
"""How long a new connection may take to send the head of a request."""

ENOUGH = 65536
"""Descriptors for this process; its pods may have as many, and some programs close each that there may be."""

HEAD_LIMIT = 65536
"""Bytes of the address and headers of a request; the parser itself has no limit."""

SHARE = 4
"""Connections may take one in this many of the descriptors that the process may have."""


def raise_limit() -> None:
    """Let this process have as many descriptors as it may."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = ENOUGH if most == resource.RLIM_INFINITY else min(most, ENOUGH)
    with suppress(ValueError, OSError):  # macOS has a limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, enough), most))


def most_connections() -> int:
    """How many connections there may be."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, min(limit, ENOUGH) // SHARE)


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's. Where there are too many, one that has asked for nothing yet is closed.

    One whose request has too long a head is told so, and closed. So is one that sends more than such a head
    may have without an end of what it sends: the parser keeps all of it until then.
    """

    _head = 0
    """Bytes of the request's address and headers, those behind its body included."""
    _unfinished = 0
    """Bytes since the parser last told of something."""

    def connection_made(self, transport: Any) -> None:
        """Count it, and begin to wait for its first request."""
        super().connection_made(transport)
        self._waiting = asyncio.get_running_loop().call_later(FIRST_SECONDS, self._close_if_silent)
        if len(self.connections) > most_connections():
            others = (each for each in self.connections if each is not self and isinstance(each, Connection))
            next((each for each in others if each.cycle is None), self).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._waiting.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request is not valid: a part of it is too long.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = self._unfinished = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of its address."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The end of its head."""
        self._unfinished = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of its body, of which the application reads as much as it may have."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Its end."""
        self._unfinished = 0
        super().on_message_complete()

    def _count(self, *parts: bytes) -> None:
        self._unfinished = 0
        self._head += sum(map(len, parts))
        if self._head > HEAD_LIMIT:
            raise ValueError("The head of the request is too large.")  # uvicorn answers 400

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.close()
