"""A metadata service: what Metaflow's own service answers to the calls that Metaflow makes, kept in memory.

The paths and fields are those of metaflow/plugins/metadata_providers/service.py and of what the Client API
reads. Ids are kept as they were given, texts or numbers.

As a script, `python tests/metadata_service.py PORT`, it serves until it is ended.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import sys
import threading
import time
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

VERSION = "2.5.0"
BEAT_SECONDS = 1
OBJECTS = ("flows", "runs", "steps", "tasks")
JSON = dict[str, Any]


class MetadataService:
    """The service on a port of this machine. `calls` are the paths that were asked, with their methods."""

    def __init__(self, port: int = 0) -> None:
        self.calls: list[str] = []
        self.beats: list[str] = []
        self._objects: dict[tuple[str, ...], JSON] = {}
        self._artifacts: dict[tuple[str, ...], list[JSON]] = {}
        self._metadata: dict[tuple[str, ...], list[JSON]] = {}
        self._ids = itertools.count(1)
        self._socket = socket.create_server(("127.0.0.1", port))
        app = Starlette(
            routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PATCH"])],
        )
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Stop it."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.calls.append(f"{request.method} /{path}")
        if path == "ping":
            return Response("pong", headers={"METADATA_SERVICE_VERSION": VERSION})
        body = await request.body()
        data = json.loads(body) if body else None
        words = path.split("/")
        # /flows/F/runs/R/... : the ids are every second word.
        ids = tuple(words[1 : 2 * len(OBJECTS) : 2])
        if request.method == "PATCH":
            return self._change_tags(ids[:2], data)
        if request.method == "POST":
            return self._write(words, ids, data)
        return self._read(words, ids, dict(request.query_params))

    def _write(self, words: list[str], ids: tuple[str, ...], data: Any) -> Response:
        last = words[-1]
        if last == "heartbeat":
            self.beats.append("/".join(ids))
            return JSONResponse(json.dumps({"wait_time_in_seconds": BEAT_SECONDS}))
        if last in ("artifact", "metadata"):
            if ids not in self._objects:
                return _missing()
            kept = self._artifacts if last == "artifact" else self._metadata
            new = [{"flow_id": ids[0], "id": next(self._ids), "ts_epoch": _now(), **each} for each in data]
            kept.setdefault(ids, []).extend(new)
            return JSONResponse(new, 201)
        return self._create(words, ids, data or {})

    def _create(self, words: list[str], ids: tuple[str, ...], data: JSON) -> Response:
        """A flow, a run, a step or a task, whose own id is in the data."""
        depth = {"run": 2, "step": 3, "task": 4}.get(words[-1], 1)
        key = {1: lambda: ids[0], 2: lambda: data.get("run_number"), 4: lambda: data.get("task_id")}
        own = ids[depth - 1] if depth in (1, 3) else key[depth]()
        own = str(own if own is not None else next(self._ids))
        place = (*ids[: depth - 1], own)
        if place in self._objects:
            return JSONResponse({"message": "it exists"}, 409)
        if depth > 1 and place[:-1] not in self._objects:
            return _missing()
        self._objects[place] = {
            "flow_id": place[0],
            "ts_epoch": _now(),
            "tags": data.get("tags") or [],
            "system_tags": data.get("system_tags") or [],
            "user_name": data.get("user_name"),
            **dict(zip(("flow_id", "run_number", "step_name", "task_id"), place, strict=False)),
        }
        return JSONResponse(self._objects[place], 201)

    def _read(self, words: list[str], ids: tuple[str, ...], query: dict[str, str]) -> Response:
        if ids and ids not in self._objects:
            return _missing()
        rest = words[2 * len(ids) :]
        if not rest:
            return JSONResponse(self._objects[ids])
        if rest == ["metadata"]:
            return JSONResponse(self._metadata.get(ids, []))
        if rest == ["filtered_tasks"]:
            return JSONResponse(self._filtered(ids, query))
        if "artifacts" in rest:
            return self._read_artifacts(ids, rest)
        if rest[0] not in OBJECTS:
            return _missing()
        children = [found for place, found in self._objects.items() if place[:-1] == ids]
        return JSONResponse(children)

    def _read_artifacts(self, ids: tuple[str, ...], rest: list[str]) -> Response:
        """`artifacts`, `attempt/N/artifacts`, `artifacts/NAME` or `artifacts/NAME/attempt/N`."""
        attempt = int(rest[rest.index("attempt") + 1]) if "attempt" in rest else None
        place = rest.index("artifacts") + 1
        name = rest[place] if len(rest) > place else None
        known = [each for each in self._artifacts.get(ids, []) if name in (None, each["name"])]
        if attempt is None:
            attempt = max((each["attempt_id"] for each in known), default=0)
        found = [each for each in known if each["attempt_id"] == attempt]
        if name is None:
            return JSONResponse(found)
        return JSONResponse(found[-1]) if found else _missing()

    def _filtered(self, step: tuple[str, ...], query: dict[str, str]) -> list[str]:
        pattern, field = query.get("pattern", ".*"), query.get("metadata_field_name")
        return [
            "/".join(place)
            for place in self._objects
            if place[:-1] == step
            and any(
                field in (None, each["field_name"]) and re.search(pattern, str(each["value"]))
                for each in self._metadata.get(place, [])
            )
        ]

    def _change_tags(self, run: tuple[str, ...], data: JSON) -> Response:
        if run not in self._objects:
            return _missing()
        found = self._objects[run]
        left = set(found["tags"]) - set(data["tags_to_remove"])
        found["tags"] = sorted(left | set(data["tags_to_add"]))
        return JSONResponse({"tags": found["tags"]})


def _missing() -> Response:
    return JSONResponse({"message": "not found"}, 404)


def _now() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    MetadataService(int(sys.argv[1]))  # its thread is waited for
