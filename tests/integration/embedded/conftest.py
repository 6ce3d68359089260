"""A server of its own for each module, in a temporary home, and for the tests that need one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import warm
from harness import PLAIN, SECONDS, wait_until

from metaflow_hera import __version__
from metaflow_hera.embedded.local import launch

DATA = Path(__file__).parents[2] / "data"


class Argo:
    """A client of one embedded Argo, and its life. `cold` starts it as its users do."""

    def __init__(self, home: Path, *, cold: bool = False) -> None:
        self.home, self._cold = home, cold
        self.start()

    def start(self) -> None:
        """Start the server; after its end again, in the same home."""
        with nullcontext() if self._cold else warm.servers():
            self.server = launch.start(self.home, __version__)
        self.http = httpx.Client(
            base_url=f"{self.server.url}/api/v1",
            headers={"Authorization": f"Bearer {self.server.token}"},
            timeout=SECONDS,
            **PLAIN,
        )

    def kill(self) -> None:
        """End the server without a word to it."""
        self.http.close()
        os.kill(self.server.pid, 9)
        self.wait(lambda: launch.process(self.home) is None)

    def close(self) -> None:
        """Stop it, and end the pods that still run."""
        with suppress(httpx.HTTPError):
            for workflow in self.call("GET", "/workflows/?fields=items.metadata")["items"] or ():
                meta = workflow["metadata"]
                self.call("DELETE", f"/workflows/{meta['namespace']}/{meta['name']}")
        self.http.close()
        launch.stop(self.home)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a call that must succeed."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, spec: dict[str, Any], name: str = "") -> str:
        """Start a workflow; returns its name."""
        meta = {"name": name} if name else {"generateName": "wf-"}
        made = self.call("POST", "/workflows/argo", {"workflow": {"metadata": meta, "spec": spec}})
        return str(made["metadata"]["name"])

    def get(self, name: str) -> Any:
        """A workflow."""
        return self.call("GET", f"/workflows/argo/{name}")

    def until(self, name: str, test: Callable[[Any], Any], seconds: float = SECONDS) -> Any:
        """Wait until a workflow passes a test; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            workflow = self.get(name)
            if test(workflow):
                return workflow
            assert time.monotonic() < deadline, json.dumps(workflow["status"], indent=1)[:4000]
            time.sleep(0.05)

    def wait(self, test: Callable[[], Any], seconds: float = SECONDS) -> None:
        """Wait until something holds."""
        wait_until(test, seconds)

    def end(self, name: str, seconds: float = SECONDS) -> Any:
        """Wait for the end of a workflow; returns it."""
        return self.until(name, lambda workflow: workflow["status"].get("finishedAt"), seconds)

    def logs(self, name: str, query: str = "") -> list[str]:
        """The lines of a workflow's logs."""
        query = f"logOptions.container=main&{query}"
        with self.http.stream("GET", f"/workflows/argo/{name}/log?{query}") as answer:
            return [json.loads(line)["result"]["content"] for line in answer.iter_lines() if line]


def pod_spec(command: str, **template: Any) -> dict[str, Any]:
    """A workflow of one pod that runs a shell command."""
    container = {
        "image": "busybox",
        "command": ["sh", "-c"],
        "args": [command],
        **template.pop("container", {}),
    }
    return {"entrypoint": "main", "templates": [{"name": "main", "container": container, **template}]}


def task_group_spec(command: str, items: list[Any], **spec: Any) -> dict[str, Any]:
    """A workflow that runs a shell command for each item, which it finds in `{{inputs.parameters.item}}`."""
    pod = {
        "name": "pod",
        "inputs": {"parameters": [{"name": "item"}]},
        "container": {"image": "busybox", "command": ["sh", "-c"], "args": [command]},
    }
    task = {
        "name": "group",
        "template": "pod",
        "withItems": items,
        "arguments": {"parameters": [{"name": "item", "value": "{{item}}"}]},
    }
    return {"entrypoint": "main", "templates": [pod, {"name": "main", "dag": {"tasks": [task]}}], **spec}


def pods(workflow: Any) -> dict[str, Any]:
    """The pods of a workflow, by display name."""
    nodes = workflow["status"].get("nodes") or {}
    return {node["displayName"]: node for node in nodes.values() if node["type"] == "Pod"}


def unequal(found: Any, expected: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, for a message that can be read."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = sorted(found.keys() | expected.keys())
        return [
            text
            for key in keys
            for text in unequal(found.get(key, "-"), expected.get(key, "-"), f"{path}/{key}")
        ]
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [text for i, (one, two) in pairs for text in unequal(one, two, f"{path}/{i}")]
    return [] if found == expected else [f"{path}: {found!r}, not {expected!r}"]


@pytest.fixture(scope="module")
def cold() -> bool:
    """Whether servers start as their users' do; a module may say so."""
    return False


@pytest.fixture(scope="module")
def argo(tmp_path_factory: pytest.TempPathFactory, cold: bool) -> Iterator[Argo]:
    """A server that the tests of a module share."""
    client = Argo(tmp_path_factory.mktemp("home"), cold=cold)
    yield client
    client.close()


@pytest.fixture
def own_argo(tmp_path: Path, cold: bool) -> Iterator[Argo]:
    """A server for one test, to be killed and started again."""
    client = Argo(tmp_path / "home", cold=cold)
    yield client
    client.close()
