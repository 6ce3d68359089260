"""How a stream is sent: as lines of JSON, or as server-sent events to a client that accepts nothing else.

Each part is wrapped in `{"result": ...}`, and an error in `{"error": ...}`, as grpc-gateway does it. Argo's
own command line and its UI ask for events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse

from metaflow_hera.embedded.api.http import ApiError
from metaflow_hera.embedded.storage.reader import dump

EVENTS = "text/event-stream"

ALIVE_SECONDS = 15.0
"""How long a stream of events may be silent before a comment is sent, which clients pass over."""

# Go escapes these in JSON, so that it may stand in HTML.
_ESCAPED = {"<": b"\\u003c", ">": b"\\u003e", "&": b"\\u0026", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}


@dataclass(frozen=True, slots=True)
class Framing:
    """How the answer of one call is framed, by its Accept header."""

    accept: str

    def part(self, result: str) -> bytes:
        """One part of the stream, from its JSON."""
        return self._framed(f'{{"result":{result}}}') + b"\n"

    def response(self, parts: AsyncGenerator[bytes, None]) -> StreamingResponse:
        """The answer that streams these parts."""
        if self.accept != EVENTS:
            return StreamingResponse(parts, media_type="application/json")
        headers = {"Content-Type": EVENTS, "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(_kept_alive(parts), headers=headers)

    def error(self, error: ApiError) -> Response:
        """The answer of a stream that does not begin."""
        words = {
            "grpc_code": error.code,
            "http_code": error.status,
            "message": str(error),
            "http_status": HTTPStatus(error.status).phrase,
        }
        kind = EVENTS if self.accept == EVENTS else "application/json"
        return Response(self._framed(dump({"error": words})), error.status, {"Content-Type": kind})

    def _framed(self, text: str) -> bytes:
        data = text.encode("utf-8", "replace")
        for char, escape in _ESCAPED.items():
            data = data.replace(char.encode(), escape)
        return b"data: " + data + b" \n\n" if self.accept == EVENTS else data


async def _kept_alive(parts: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The parts, and a comment whenever there was none for a while."""
    coming = asyncio.ensure_future(anext(parts))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=ALIVE_SECONDS)
            if not done:
                yield b":\n"
                continue
            try:
                part = coming.result()
            except StopAsyncIteration:
                return
            yield part
            coming = asyncio.ensure_future(anext(parts))
    finally:
        coming.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await coming
        await parts.aclose()
