"""Calls that stream their answer: the watch of workflows, and logs.

How a part of a stream is sent is in `framing`.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import BinaryIO, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from metaflow_hera.embedded.api.framing import Framing
from metaflow_hera.embedded.api.http import INTERNAL, INVALID_ARGUMENT, ApiError, Call, unsupported
from metaflow_hera.embedded.api.selection import (
    Fields,
    fill,
    label_selector,
    name_selector,
    whole_number,
    yes_or_no,
)
from metaflow_hera.embedded.api.workflows import find, find_named
from metaflow_hera.embedded.engine import Published
from metaflow_hera.embedded.expressions import regexp
from metaflow_hera.embedded.pods.files import open_log
from metaflow_hera.embedded.storage.reader import Head, PodRow, dump

LOG_POLL = 0.2
"""Seconds between checks for new lines of a followed log."""

CHUNK = 262_144
"""Bytes of a log that are read and sent at a time."""


class Listener(Protocol):
    """A client that is told what changed. Lives in the event loop."""

    woken: asyncio.Event

    def take(self, news: list[Published]) -> None:
        """Note what changed, and wake."""


class Hub:
    """Tells watchers which workflows changed.

    A watcher that is slower than the changes keeps no queue: for each workflow it has at most one event
    waiting, and sends the workflow's current state. So its memory is bounded and it never lags.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watchers: set[Listener] = set()
        self._loop = loop
        self.closing = asyncio.Event()

    def publish(self, news: list[Published]) -> None:
        """Called by the engine's thread after each transaction."""
        if self._watchers:
            with suppress(RuntimeError):  # the server is closing
                self._loop.call_soon_threadsafe(self._deliver, news)

    def _deliver(self, news: list[Published]) -> None:
        for watcher in self._watchers:
            watcher.take(news)

    def close(self) -> None:
        """End all streams."""
        self.closing.set()
        for watcher in self._watchers:
            watcher.woken.set()

    def add(self, watcher: Listener) -> None:
        """Start to tell this watcher about changes."""
        self._watchers.add(watcher)

    def remove(self, watcher: Listener) -> None:
        """Stop telling it."""
        self._watchers.discard(watcher)


class Watcher:
    """One client's watch. Lives in the event loop; builds its lines in a thread."""

    def __init__(self, call: Call) -> None:
        self._reader = call.services.reader
        self._namespace = call.namespace
        self._labels = label_selector(call.query.get("listOptions.labelSelector", ""))
        self._framing = Framing(call.accept)
        self._name = name_selector(call.query.get("listOptions.fieldSelector", ""))
        if self._name and self._namespace:
            self._name = find_named(self._reader, self._namespace, self._name).name
        self._fields = Fields(call.query.get("fields", ""), prefix="result.object.")
        self._seen: set[str] = set()
        self._waiting: dict[str, tuple[str, str]] = {}
        self.woken = asyncio.Event()
        self._since = whole_number(call.query, "listOptions.resourceVersion") or 0

    def take(self, news: list[Published]) -> None:
        """Note what changed."""
        for kind, uid, text in news:
            self._waiting[uid] = (kind, text)
        self.woken.set()

    async def lines(self, hub: Hub) -> AsyncGenerator[bytes, None]:
        """The events, as they come, until the client goes or the server closes."""
        hub.add(self)  # before reading what there is, so that nothing is missed in between
        try:
            await run_in_threadpool(self._catch_up)
            while not hub.closing.is_set():
                cost = 0.0
                waiting, self._waiting = self._waiting, {}
                for uid, (kind, text) in waiting.items():
                    started = time.monotonic()
                    line = await run_in_threadpool(self._line, uid, kind, text)
                    cost += time.monotonic() - started  # not the time that the client takes to read it
                    if line:
                        yield line
                # A large workflow changes faster than its JSON is built: leave time for others.
                await asyncio.sleep(min(5.0, 5 * cost))
                self.woken.clear()
                if not self._waiting and not hub.closing.is_set():
                    await self.woken.wait()
        finally:
            hub.remove(self)

    def _catch_up(self) -> None:
        """Note what changed after the version that the client has seen."""
        for head in filter(self._wants, self._reader.heads(self._namespace)):
            if self._since:
                self._seen.add(head.uid)
            if int(json.loads(head.metadata)["resourceVersion"]) > self._since:
                self._waiting.setdefault(head.uid, ("MODIFIED", ""))

    def _line(self, uid: str, kind: str, text: str) -> bytes:
        if kind == "DELETED":
            if uid not in self._seen:
                return b""
            self._seen.discard(uid)
            return self._event("DELETED", [text])
        head = self._reader.head_by_uid(uid)
        if head is None:  # deleted in the meantime: its event follows
            return b""
        wanted = self._wants(head)
        if not wanted and uid not in self._seen:
            return b""
        event = "MODIFIED" if uid in self._seen else "ADDED"
        if not wanted:  # the selectors no longer choose it: for this watcher it is deleted
            self._seen.discard(uid)
            return self._event("DELETED", self._reader.workflow_text(head, nodes=False))
        self._seen.add(uid)
        return self._event(event, self._reader.workflow_text(head, not self._fields.without("status.nodes")))

    def _wants(self, head: Head) -> bool:
        return (
            self._namespace in ("", head.namespace)
            and self._name in (None, head.name)
            and self._labels(head.labels)
        )

    def _event(self, kind: str, pieces: list[str]) -> bytes:
        text = "".join(pieces)
        if self._fields:
            text = dump(fill(self._fields.clean(json.loads(text))))
        return self._framing.part(f'{{"type":"{kind}","object":{text}}}')


def watch(call: Call, hub: Hub) -> StreamingResponse:
    """Stream the changes of the workflows that the selectors choose."""
    return Framing(call.accept).response(Watcher(call).lines(hub))


def kubernetes_events(call: Call) -> Response:
    """There is no answer to imitate but this one: Argo 4.1.2 cannot send any of Kubernetes' events."""
    raise ApiError(
        INTERNAL,
        "grpc: error while marshaling: proto: failed to marshal, message is *v1.Event, want proto.Message",
    )


def logs(call: Call, hub: Hub) -> StreamingResponse:
    """Stream the logs of a workflow's pods, or of one of them."""
    query = call.query
    for option in ("previous", "sinceSeconds", "sinceTime", "sinceTime.seconds", "timestamps", "stream"):
        if query.get(f"logOptions.{option}") not in (None, "", "false"):
            raise unsupported(f"logOptions.{option}")
    if query.get("selector"):
        raise unsupported("selector")
    return Framing(call.accept).response(LogStream(call, find(call)).lines(hub))


class LogStream:
    """The lines of one call."""

    def __init__(self, call: Call, head: Head) -> None:
        query = call.query
        self._reader = call.services.reader
        self._uid = head.uid
        self._home = call.services.engine.home
        self._pod = call.path.get("podName") or query.get("podName") or ""
        self._framing = Framing(call.accept)
        self._follow = yes_or_no(query, "logOptions.follow")
        # Argo's pods have a second container, so that Kubernetes gives no log unless one is named.
        self._none = query.get("logOptions.container") != "main"
        self._tail = whole_number(query, "logOptions.tailLines")
        self._limit = whole_number(query, "logOptions.limitBytes")
        self._grep = query.get("grep") or ""
        try:
            regexp.check(self._grep)
        except regexp.RegexpError as error:
            raise ApiError(INVALID_ARGUMENT, f"grep: {error}") from error
        self._places: dict[str, int] = {}
        self._over: set[str] = set()

    async def lines(self, hub: Hub) -> AsyncGenerator[bytes, None]:
        """The lines so far; with `follow` also the new ones, until the workflow is over."""
        while not self._none:
            head = await run_in_threadpool(self._reader.head_by_uid, self._uid)
            over = head is None or head.finished is not None
            for pod in await run_in_threadpool(self._pods_to_read):
                while True:
                    text = await run_in_threadpool(self._read, pod)
                    if not text:
                        break
                    yield text
            if not self._follow or over or hub.closing.is_set():
                return
            await asyncio.sleep(LOG_POLL)

    def _pods_to_read(self) -> list[PodRow]:
        return [
            pod
            for pod in self._reader.pods(self._uid, self._pod)
            if pod.folder not in self._over and pod.state != "pending"
        ]

    def _read(self, pod: PodRow) -> bytes:
        """The next part of a pod's log, in whole lines; the last line of an ended pod may lack its end."""
        try:
            with open_log(self._home, pod) as file:
                start = self._places.get(pod.folder)
                if start is None or start > os.fstat(file.fileno()).st_size:  # shortened in the meantime
                    start = _tail_start(file, self._tail)
                file.seek(start)
                data = file.read(CHUNK)
        except OSError:
            data, start = b"", 0
        end = data.rfind(b"\n") + 1
        if not end and (len(data) == CHUNK or pod.state == "ended" or not self._follow):
            end = len(data)
        if not end and pod.state == "ended":
            self._over.add(pod.folder)
        self._places[pod.folder] = start + end
        return b"".join(self._entries(pod, data[:end]))

    def _entries(self, pod: PodRow, data: bytes) -> Iterator[bytes]:
        for line in data.decode("utf-8", "replace").removesuffix("\n").split("\n") if data else ():
            if self._limit is not None:
                line = line[: max(0, self._limit)]
                self._limit -= len(line.encode()) + 1
                if self._limit < 0 and not line:
                    return
            if not self._grep or regexp.found(self._grep, line):
                yield self._framing.part(dump({"content": line, "podName": pod.name}))


def _tail_start(file: BinaryIO, lines: int | None) -> int:
    """Where the last `lines` lines of a file begin; read from its end, in parts."""
    if lines is None:
        return 0
    size = at = file.seek(0, os.SEEK_END)
    if lines == 0:
        return size
    while at > 0:
        begin = max(0, at - CHUNK)
        file.seek(begin)
        block = file.read(at - begin)
        end = len(block) - (at == size and block.endswith(b"\n"))
        if (here := block.count(b"\n", 0, end)) >= lines:
            for _ in range(lines):
                end = block.rfind(b"\n", 0, end)
            return begin + end + 1
        lines -= here
        at = begin
    return 0
