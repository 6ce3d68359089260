"""Server-sent events: what changed, when it changes, in the form in which the page shows it.

A page that is slower than the changes gets the current state, never a queue.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from metaflow_hera.embedded.api.streams import Hub
from metaflow_hera.embedded.engine import Published
from metaflow_hera.embedded.web.session import HEADERS

PAUSE = 0.25
"""Seconds between two events, at least."""

SHARE = 5
"""A large run changes faster than it is summarized: this many times as long is left to others."""

POLL, POLLS = 1.0, 10
"""Seconds between two checks of the version, and after how many of them something is sent in any case.

That shows whether the client is still there.
"""


class Feed:
    """The events of one client: `look` gives the current state, of all or of one workflow (`uid`).

    The engine reports workflows only; `version` changes with anything else.
    """

    def __init__(
        self, look: Callable[[], Any], uid: str = "", version: Callable[[], int] | None = None
    ) -> None:
        self._look = look
        self._uid = uid
        self._version = version
        self.woken = asyncio.Event()

    def take(self, news: list[Published]) -> None:
        """Wake if it concerns this client."""
        if not self._uid or any(uid == self._uid for _, uid, _ in news):
            self.woken.set()

    async def events(self, hub: Hub) -> AsyncIterator[bytes]:
        """A `state` whenever it has changed, until the client goes or the server closes."""
        hub.add(self)  # before the first look, so that nothing is missed in between
        try:
            sent = ""
            while not hub.closing.is_set():
                self.woken.clear()
                began, seen = time.monotonic(), await self._seen()
                state = await run_in_threadpool(self._look)
                if state is None:
                    yield b"event: gone\ndata: {}\n\n"
                    return
                now = state.pop("now", None)
                text = json.dumps(state, separators=(",", ":"))
                cost = time.monotonic() - began  # before the yield: how long a client reads is its own affair
                if text != sent:
                    sent = text
                    yield f'event: state\ndata: {{"now":{now},{text[1:]}\n\n'.encode()
                else:
                    yield b": still here\n\n"
                await asyncio.sleep(max(PAUSE, SHARE * cost))
                for _ in range(POLLS):
                    if self.woken.is_set() or hub.closing.is_set() or await self._seen() != seen:
                        break
                    with suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self.woken.wait(), POLL)
        finally:
            hub.remove(self)

    async def _seen(self) -> int:
        return await run_in_threadpool(self._version) if self._version is not None else 0

    def response(self, hub: Hub) -> StreamingResponse:
        """The answer that streams them."""
        return StreamingResponse(self.events(hub), headers=HEADERS, media_type="text/event-stream")
