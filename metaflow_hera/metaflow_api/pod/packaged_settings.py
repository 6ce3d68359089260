"""What a pod needs to know about its flow beyond the manifest: a small file in the code package."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from metaflow_hera.contract.environment import PROJECT
from metaflow_hera.errors import FlowError
from metaflow_hera.graph.steps import Graph

FILE_NAME = "metaflow_hera.json"
DEFAULT_EXECUTABLE = "python"
"""What Metaflow's environments call the interpreter that the pod already has."""


@dataclass(frozen=True)
class Retries:
    """How often a step is retried: its own code, and in all (with @catch's last attempts)."""

    user_code: int
    total: int
    minutes_between: int


@dataclass(frozen=True)
class Interpreter:
    """The Python of an environment of its own, as Metaflow makes it for @conda, @pypi and uv.

    `commands` are lines of bash that make it, `executable` the one that starts it, `init_executable` the one
    that registers a run.
    """

    commands: Sequence[str]
    executable: str
    init_executable: str


@dataclass(frozen=True)
class StepSettings:
    """What the runtime needs to know about a step.

    `time_limit` is that of @timeout in seconds, None without one; `parallel_timeout` how many seconds
    the nodes of a @parallel step wait for the first one; `interpreter` is None where the step runs in that of
    its pod.
    """

    retries: Retries
    time_limit: int | None = None
    parallel_timeout: int = 600
    interpreter: Interpreter | None = None

    def as_data(self) -> dict[str, Any]:
        """The settings as JSON values. `gang_timeout` is the key that code packages of all versions have."""
        return {
            "retries": asdict(self.retries),
            "time_limit": self.time_limit,
            "gang_timeout": self.parallel_timeout,
            "interpreter": asdict(self.interpreter) if self.interpreter else None,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> StepSettings:
        """The settings that `as_data` returned."""
        return cls(
            retries=Retries(**data["retries"]),
            time_limit=data.get("time_limit"),
            parallel_timeout=data.get("gang_timeout", cls.parallel_timeout),
            interpreter=Interpreter(**data["interpreter"]) if data["interpreter"] else None,
        )


@dataclass(frozen=True)
class PodSettings:
    """The part of a deployment that depends on the flow's code alone.

    `script` is the flow's file within the code package, `datastore_root` where its datastore is,
    `top_level` Metaflow's options before the command, `metadata` the type of its metadata provider. `project`
    are further such options, those that say which branch of @project it is: a manifest may give others. It is
    None where an older version has packed, which has them in `top_level`.
    """

    script: str
    datastore_root: str
    graph: Graph
    top_level: Sequence[str]
    metadata: str
    steps: Mapping[str, StepSettings]
    project: Sequence[str] | None = ()

    def of_branch(self, project: Sequence[str] | None) -> PodSettings:
        """The settings with all options in `top_level`, those of `project` (None: its own) among them."""
        own = self.project or ()
        return replace(self, top_level=[*(own if project is None else project), *self.top_level], project=())

    def to_json(self) -> str:
        """The settings as JSON text, the same for the same settings."""
        return json.dumps(
            {
                "script": self.script,
                "datastore_root": self.datastore_root,
                "graph": json.loads(self.graph.to_json()),
                "top_level": list(self.top_level),
                "project": None if self.project is None else list(self.project),
                "metadata": self.metadata,
                "steps": {name: step.as_data() for name, step in self.steps.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str) -> PodSettings:
        """The settings that `to_json` wrote."""
        data = json.loads(text)
        graph = Graph.from_json(json.dumps(data["graph"]))
        steps = {name: StepSettings.from_data(step) for name, step in data["steps"].items()}
        return cls(
            script=data["script"],
            datastore_root=data["datastore_root"],
            graph=graph,
            top_level=data["top_level"],
            metadata=data["metadata"],
            steps=steps,
            project=data.get("project"),
        )


def load_pod_settings() -> PodSettings:
    """The settings in the code package that this process runs from, with all of Metaflow's options.

    Raises FlowError if the process does not run from a code package of this kind.
    """
    from metaflow.packaging_sys import ContentType, MetaflowCodeContent

    path = MetaflowCodeContent.get_filename(FILE_NAME, ContentType.OTHER_CONTENT)
    if path is None:
        raise FlowError(f"{FILE_NAME} is not in the code package: deploy the flow again with mfhera create.")
    settings = PodSettings.from_json(Path(path).read_text(encoding="utf-8"))
    given = os.environ.get(PROJECT)
    return settings.of_branch(json.loads(given) if given else None)
