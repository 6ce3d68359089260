"""A world for the controller: runs each pod's command for real, but on a clock of its own.

`sleep` is replaced by a program that only notes how long it was asked to sleep, so a pod's command is
over at once and its end is told when the clock gets there.
"""

from __future__ import annotations

import copy
import heapq
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metaflow_hera.embedded.controller import Operation
from metaflow_hera.embedded.controller.messages import (
    RESULT,
    Advance,
    CreatePod,
    Event,
    KillPod,
    PodEnded,
    PodRunning,
)

JSON = dict[str, Any]
START = 1_700_000_000.0


def workflow_of(name: str, spec: JSON) -> JSON:
    """A workflow as it is before the controller sees it first."""
    return {
        "metadata": {
            "name": name,
            "namespace": "argo",
            "uid": "00000000-0000-0000-0000-000000000001",
            "creationTimestamp": "2023-11-14T22:13:20Z",
        },
        "spec": {"arguments": {}, **copy.deepcopy(spec)},
        "status": {},
    }


class World:
    """Carries out a controller's actions and tells it the results.

    With `rebuild`, every call goes to a new Operation made from a JSON copy of the workflow.
    """

    def __init__(self, workflow: JSON, folder: Path, rebuild: bool = False) -> None:
        self.folder = folder
        self.rebuild = rebuild
        self.now = START
        self.operation = Operation(workflow)
        self.nodes: JSON = copy.deepcopy(workflow["status"].get("nodes") or {})
        self._queue: list[tuple[float, int, Event]] = []
        self._count = 0
        self._pods = 0
        self._dead: set[str] = set()
        self._wake: float | None = None
        self._sleep = folder / "bin"
        self._sleep.mkdir(parents=True, exist_ok=True)
        program = self._sleep / "sleep"
        program.write_text('#!/bin/sh\necho "$1" >> "$SLEPT"\n')
        program.chmod(0o755)

    @property
    def workflow(self) -> JSON:
        return self.operation.workflow

    def advance(self, *events: Event) -> Advance:
        """One call of the controller, and what it asks for."""
        if self.rebuild:
            self.operation = Operation(json.loads(json.dumps(self.operation.workflow)))
        outcome = self.operation.advance(events, self.now)
        self._wake = outcome.wake_at
        self.nodes.update(json.loads(json.dumps(outcome.nodes)))
        for action in outcome.actions:
            if isinstance(action, CreatePod):
                self._create(action)
            elif isinstance(action, KillPod):
                self._dead.add(action.node_id)
                self._tell(self.now, PodEnded(action.node_id, 143))
        return outcome

    def run(self, until: Callable[[], bool] = lambda: False, limit: int = 10_000) -> None:
        """Continue until the workflow is over, `until` holds, or nothing more will happen."""
        for _ in range(limit):
            if until() or self.operation.finished or not self.step():
                return
        raise AssertionError("the workflow goes on and on")

    def step(self) -> bool:
        """Take the next event or wake-up; False when there is none."""
        if self._queue and (self._wake is None or self._queue[0][0] <= self._wake):
            when, _, event = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            if isinstance(event, (PodRunning, PodEnded)) and event.node_id in self._dead:
                if isinstance(event, PodRunning) or event.exit_code != 143 or event.past_deadline:
                    return True
                self._dead.discard(event.node_id)
            self.advance(event)
            return True
        if self._wake is not None:
            self.now = max(self.now + 0.001, self._wake)
            self.advance()
            return True
        return False

    def _tell(self, when: float, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, event))

    def _create(self, action: CreatePod) -> None:
        self._dead.discard(action.node_id)
        self._tell(self.now, PodRunning(action.node_id))
        code, outputs, slept = self._execute(action.template, action.result)
        limit = action.deadline_seconds
        if limit is not None and slept > limit:
            self._tell(self.now + limit, PodEnded(action.node_id, 143, {}, "", past_deadline=True))
        else:
            self._tell(self.now + slept, PodEnded(action.node_id, code, outputs))

    def _execute(self, template: JSON, result: bool) -> tuple[int, dict[str, str], float]:
        self._pods += 1
        folder = self.folder / f"pod{self._pods}"
        folder.mkdir()
        container = template.get("container") or template["script"]
        paths = {
            parameter["name"]: parameter["valueFrom"]["path"]
            for parameter in (template.get("outputs") or {}).get("parameters") or ()
        }

        def moved(text: str) -> str:
            for path in set(paths.values()):
                text = text.replace(path, f"{folder}/{path.replace('/', '_')}")
            return text

        environment: dict[str, str] = {}
        for variable in container.get("env") or ():
            environment[variable["name"]] = moved(expand(str(variable.get("value", "")), environment))
        arguments = [
            moved(expand(text, environment))
            for text in [*container.get("command", []), *(container.get("args") or [])]
        ]
        if template.get("script"):
            (folder / "source").write_text(moved(container["source"]))
            (folder / "source").chmod(0o755)
            arguments.append(str(folder / "source"))
        slept = folder / "slept"
        environment |= {"PATH": f"{self._sleep}:{os.environ['PATH']}", "SLEPT": str(slept)}
        ran = subprocess.run(arguments, env=environment, cwd=folder, check=False, stdout=subprocess.PIPE)
        code = ran.returncode
        outputs = {
            name: Path(moved(path)).read_text().removesuffix("\n")
            for name, path in paths.items()
            if Path(moved(path)).exists()
        }
        if result:
            outputs[RESULT] = ran.stdout.decode().removesuffix("\n")
        time = sum(map(float, slept.read_text().split())) if slept.exists() else 0.0
        return (128 - code if code < 0 else code), outputs, time


def expand(text: str, environment: dict[str, str]) -> str:
    """$(NAME) and $$ as Kubernetes expands them."""

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return environment.get(match.group(1), match.group())

    return re.sub(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)", replace, text)
