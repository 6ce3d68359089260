"""The embedded Argo in this process: its API, its engine and its store, without a socket and without pods.

What `argo/` and `operations/` do with a server is tested with it in milliseconds. All of it is real but two
things: `requests` hands its calls to the API's ASGI application in place of a connection, and no pod
is started: a test says how each one ends.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from argo_calls import Call
from requests.adapters import BaseAdapter

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.embedded.api.http import Services
from metaflow_hera.embedded.api.streams import Hub
from metaflow_hera.embedded.api.submission import submitted
from metaflow_hera.embedded.app import application
from metaflow_hera.embedded.controller.messages import Event, PodEnded, PodRunning
from metaflow_hera.embedded.engine import Engine
from metaflow_hera.embedded.pods.settings import PodSettings
from metaflow_hera.embedded.storage.reader import Reader
from metaflow_hera.embedded.storage.store import Store

JSON = dict[str, Any]
HOST = "http://127.0.0.1:2746/"
DATABASE = "argo.db"
TOKEN = "token-of-the-twin"
NO_PODS = 0
SECONDS = 30.0
"""A bound for what takes milliseconds: whoever takes longer hangs."""


class Application(BaseAdapter):
    """Carries the calls of a `requests` session to an ASGI application, and notes them.

    `headers` are those of successful answers that differ from the application's; None takes one away.
    """

    app: Any

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.calls: list[Call] = []
        self.headers: dict[str, str | None] = {}

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The application's answer, when it is complete."""
        parts = urlsplit(request.url or "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        self.calls.append(Call(request.method or "", parts.path, parts.query, headers, body))
        headers["host"] = parts.netloc
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        answer = asyncio.run_coroutine_threadsafe(self._answer(scope, body), self._loop).result(SECONDS)
        answer.request, answer.url = request, request.url or ""
        for name, value in self.headers.items() if answer.ok else ():
            answer.headers.pop(name, None)
            if value is not None:
                answer.headers[name] = value
        return answer

    def close(self) -> None:
        """There is nothing to close."""

    async def _answer(self, scope: JSON, body: bytes) -> requests.Response:
        asked = [{"type": "http.request", "body": body}]
        answer, content = requests.Response(), io.BytesIO()
        answer.raw = content

        async def receive() -> Any:
            if asked:
                return asked.pop()
            await asyncio.Event().wait()  # whoever called does not hang up

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.headers.update({name.decode(): value.decode() for name, value in message["headers"]})
            else:
                content.write(message.get("body", b""))

        await self.app(scope, receive, send)
        content.seek(0)
        return answer


def before_the_next_start() -> Callable[[], float]:
    """This machine's clock, but it stops before the next half hour: then schedules of tests/golden start."""
    last = (time.time() // 1800 + 1) * 1800 - 1
    return lambda: min(time.time(), last)


class Twin:
    """An embedded Argo in this process, with its state below a folder. Its clock starts no schedule."""

    def __init__(self, home: Path, clock: Callable[[], float] | None = None) -> None:
        home.mkdir(exist_ok=True)
        self._home, self._clock = home, clock or before_the_next_start()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="twin", daemon=True)
        self._thread.start()
        self.transport = Application(self._loop)
        self._direct = Application(self._loop)
        self._open()
        self._seen = 0
        self.client = self.connect()

    def _open(self) -> None:
        hub = Hub(self._loop)
        database = self._home / DATABASE
        self._engine = Engine(
            Store(database), self._home, PodSettings(NO_PODS), hub.publish, submitted, self._clock
        )
        self._reader = Reader(database)
        services = Services(self._reader, self._engine)
        self.transport.app = self._direct.app = application(services, hub, TOKEN, "webhook", "session")
        self._engine.start()

    def save(self, file: Path) -> None:
        """Keep all that it has in a file, for `load`."""
        with (
            closing(sqlite3.connect(self._home / DATABASE)) as database,
            closing(sqlite3.connect(file)) as kept,
        ):
            database.backup(kept)

    def load(self, file: Path) -> None:
        """Go on from what `save` has kept, as a server that is started again."""
        self._engine.stop()
        for each in self._home.glob(f"{DATABASE}*"):
            each.unlink()
        shutil.copy(file, self._home / DATABASE)
        self._open()

    @property
    def calls(self) -> list[Call]:
        """What was sent to it by its clients."""
        return self.transport.calls

    def sent(self) -> list[str]:
        """The calls since this was asked last, each kind once, in their order."""
        names = list(dict.fromkeys(call.name() for call in self.calls[self._seen :]))
        self._seen = len(self.calls)
        return names

    def connect(self, **target: Any) -> ArgoClient:
        """A client of it; `target` says what differs from the right token, host and namespace."""
        about = {"host": HOST, "namespace": "default", "token": TOKEN, "embedded": True, **target}
        return ArgoClient(Target(**about), self.transport)

    def ask(self, path: str) -> Any:
        """The answer to a GET, asked directly."""
        return self.call("GET", path)

    def call(self, method: str, path: str) -> Any:
        """The answer to a call that is none of a client's, and that must succeed."""
        answer = self.raw(method, path)
        assert answer.ok, answer.text
        return answer.json()

    def page(self, workflow: str) -> Any:
        """What its page gets of a run."""
        answer = self.raw("GET", f"../../page/runs/default/{workflow}")
        assert answer.ok, answer.text
        return answer.json()

    def raw(
        self, method: str, path: str, body: Any = None, token: str = TOKEN, **headers: str
    ) -> requests.Response:
        """The answer to any call, whatever it is."""
        with requests.Session() as session:
            session.trust_env = False  # to look for a proxy takes longer than the call
            session.mount(HOST, self._direct)
            given = {"Authorization": f"Bearer {token}", **headers}
            return session.request(method, f"{HOST}api/v1/{path}", json=body, headers=given)

    def stored(self) -> list[tuple[str, str, str]]:
        """All that it has: kind, name and version of each object."""
        kinds = ("workflow-templates", "cron-workflows", "sensors", "workflows")
        found = [(kind, item) for kind in kinds for item in self.ask(f"{kind}/default")["items"] or ()]
        return sorted((kind, i["metadata"]["name"], i["metadata"]["resourceVersion"]) for kind, i in found)

    @property
    def version(self) -> int:
        """A number that grows with whatever is written."""
        return self._engine.store._version

    def workflow(self, name: str) -> Any:
        """A workflow as it is."""
        return self.ask(f"workflows/default/{name}")

    def stored_workflow(self, name: str) -> Any:
        """The same without the API, for what is looked at again and again."""
        head = self._reader.head("default", name)
        assert head is not None, name
        return self._reader.workflow(head)

    def waiting(self, workflow: str) -> list[str]:
        """The pods that a test can end now, by the names of their nodes."""
        return sorted(node["displayName"] for node in self._pods(workflow))

    def waiting_ids(self, workflow: str) -> list[str]:
        """The same by the ids of their nodes, which no two have alike; they stand for the names elsewhere."""
        return sorted(node["id"] for node in self._pods(workflow))

    def begin(self, workflow: str, *pods: str) -> None:
        """Let pods run; they do nothing."""
        self._tell(workflow, dict.fromkeys(pods, PodRunning))

    def end(self, workflow: str, *pods: str, exit_code: int | None = 0, **outputs: str) -> None:
        """Let pods end, with the output parameters that they have written."""
        self._tell(workflow, {pod: lambda node: PodEnded(node, exit_code, outputs) for pod in pods})

    def finish(self, workflow: str, exit_code: int | None = 0) -> None:
        """Let all pods end alike, until the workflow has ended."""
        while waiting := self.waiting(workflow):
            self.end(workflow, *waiting, exit_code=exit_code)
        assert self.stored_workflow(workflow)["status"].get("finishedAt"), (
            "it waits for something else than pods"
        )

    def _pods(self, workflow: str) -> list[JSON]:
        nodes = (self.stored_workflow(workflow)["status"].get("nodes") or {}).values()
        pods = [node for node in nodes if node["type"] == "Pod"]
        return [pod for pod in pods if pod["phase"] in ("Pending", "Running") or not pod["taskResultSynced"]]

    def _tell(self, workflow: str, events: Mapping[str, Callable[[str], Event]]) -> None:
        ids = {node[key]: node["id"] for node in self._pods(workflow) for key in ("displayName", "id")}
        uid = self.stored_workflow(workflow)["metadata"]["uid"]
        told = [event(ids[pod]) for pod, event in events.items()]

        def tell() -> None:
            for event in told if self._engine.workflow(uid) is not None else ():
                self._engine.send(uid, event)

        # What is told within one call is acted upon, and stored, before the call returns.
        self._engine.call(tell)

    def look(self) -> None:
        """Let it look at the time, and advance whatever is due.

        A workflow whose pods wait for room, as all do here, may rest before that (`Engine._ready_at`).
        """
        end = time.monotonic() + SECONDS
        while True:
            self._engine.call(lambda: None)
            if not self._engine._due:
                return
            assert time.monotonic() < end, f"it does not advance {[*self._engine._due]}"
            time.sleep(0.01)

    def close(self) -> None:
        """End it."""
        self._engine.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
