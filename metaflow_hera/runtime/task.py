"""Which task a pod runs, as the manifest's environment says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from metaflow_hera.graph.tasks import Path, parse_path, task_id

PARAMETERS_STEP = "_parameters"
PARAMETERS_TASK = "parameters"
"""The id of the task that holds a run's parameters."""


@dataclass(frozen=True)
class PodTask:
    """The task of this pod.

    `path` is the index in each foreach around it, `argo_retries` how often Argo has started it
    again. `tags` and `namespace` are those of the deployment.
    """

    flow: str
    run_id: str
    step: str
    path: Path
    argo_retries: int
    tags: tuple[str, ...]
    namespace: str | None

    @property
    def task_id(self) -> str:
        """The task's id in Metaflow."""
        return task_id(self.step, self.path)

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> PodTask:
        """The task that the manifest's variables name."""
        return cls(
            flow=env["METAFLOW_FLOW_NAME"],
            run_id=env["METAFLOW_RUN_ID"],
            step=env["METAFLOW_STEP_NAME"],
            path=parse_path(env.get("METAFLOW_HERA_PATH", "")),
            argo_retries=int(env.get("METAFLOW_HERA_RETRIES", "0")),
            tags=tuple(json.loads(env.get("METAFLOW_HERA_TAGS", "[]"))),
            namespace=env.get("METAFLOW_HERA_NAMESPACE"),
        )
