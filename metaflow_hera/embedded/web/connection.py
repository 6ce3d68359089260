"""How many connections there may be, and for how long one may be silent before it has asked for anything.

Every user of this machine can connect, token or not, and each connection takes one of the descriptors that
the server's pods need too.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

FIRST_SECONDS = 10.0
"""How long a new connection may take to send the head of a request."""

ENOUGH = 65536
"""Descriptors for this process; its pods may have as many, and some programs close each that there may be."""

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


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection of uvicorn's. Where there are too many, one that has asked for nothing yet is closed."""

    def connection_made(self, transport: Any) -> None:
        """Count it, and begin to wait for its first request."""
        super().connection_made(transport)
        self._waiting = asyncio.get_running_loop().call_later(FIRST_SECONDS, self._close_if_silent)
        if len(self.connections) > most_connections():
            others = (each for each in self.connections if each is not self and each.cycle is None)
            next(others, self).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._waiting.cancel()
        super().connection_lost(exc)

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.close()
