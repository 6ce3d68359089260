"""A container of an Argo manifest, run here as a plain process, and the CPU it takes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Manifest:
    """A WorkflowTemplate of which steps are run by hand, as `run`, in a new folder each.

    `env` is what a node of a cluster would give a pod: the way to the datastore.
    """

    def __init__(self, text: str, run: str, env: Mapping[str, str]) -> None:
        found = json.loads(text[text.index("{") :])
        self._templates = {each["name"]: each for each in found["spec"]["templates"]}
        self._parameters = self._arguments(found["spec"])
        self._run = run
        self._env = env

    def step(self, step: str, inputs: str, **given: str) -> float:
        """Run a step and return its seconds of CPU; `inputs` is the task before, `given` more of its inputs.

        Its failure ends the bench.
        """
        task = next(t for t in self._tasks() if step in (t["name"], self._arguments(t).get("step")))
        container = self._templates[task["template"]]["container"]
        values = {
            "workflow.name": self._run,
            "workflow.creationTimestamp": "2026-01-01T00:00:00Z",
            "retries": "0",
            **{f"workflow.parameters.{name}": value for name, value in self._parameters.items()},
            **{f"inputs.parameters.{name}": value for name, value in self._arguments(task).items()},
            "inputs.parameters.path": "",
            "inputs.parameters.input-paths": inputs,
            **{f"inputs.parameters.{name.replace('_', '-')}": value for name, value in given.items()},
        }
        with tempfile.TemporaryDirectory() as folder:
            # They write to places that only a container has for itself.
            places = {
                "/tmp/mf-input-paths": f"{folder}/inputs",
                "/dev/termination-log": f"{folder}/end",
            }

            def filled(text: str) -> str:
                for name, value in values.items():
                    text = text.replace("{{" + name + "}}", value)
                for place, own in places.items():
                    text = text.replace(place, own)
                return text

            env = {
                **os.environ,
                **self._env,
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",
                **{e["name"]: filled(e.get("value") or "none") for e in container["env"]},
            }
            command = [filled(part) for part in [*container["command"], *(container.get("args") or ())]]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode:
                sys.exit(f"step {step} failed:\n{done.stdout}\n{done.stderr}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def _tasks(self) -> list[dict[str, Any]]:
        return [
            task for each in self._templates.values() for task in (each.get("dag") or {}).get("tasks") or ()
        ]

    @staticmethod
    def _arguments(of: Mapping[str, Any]) -> dict[str, str]:
        found = (of.get("arguments") or {}).get("parameters") or ()
        return {each["name"]: each.get("value") or "" for each in found}
