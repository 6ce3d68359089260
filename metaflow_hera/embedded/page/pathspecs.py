"""What Metaflow calls the runs and tasks of a flow: that is said by the names and inputs of their nodes.

The id of a run is the name of its workflow after `argo-`. The id of a task is its step and the index in
each foreach around it, which a pod gets as its inputs `step` and `path`: `train-0-3`. A pod of several tasks
has a `split-range` too: the index of each of them follows the path.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.reading import inputs_of
from metaflow_hera.embedded.storage.reader import Head

FLOW_NAME = "metaflow/flow_name"
"""The annotation of a flow's runs."""
RUN_PREFIX = "argo-"
STEP, PATH = "step", "path"


class Task(NamedTuple):
    """A task within its run."""

    step: str
    id: str

    @property
    def name(self) -> str:
        """As people call it, and `mfhera logs` takes it: `train/0-3`."""
        return f"{self.step}/{self.id.removeprefix(self.step)[1:]}".rstrip("/")


def flow_of(head: Head) -> str:
    """The name of a run's flow; "" for a workflow that is none."""
    return str((json.loads(head.metadata).get("annotations") or {}).get(FLOW_NAME) or "")


def run_name(metadata: JSON) -> str:
    """What people call a run: the id of a flow's, the name of any other workflow."""
    is_flows = FLOW_NAME in (metadata.get("annotations") or {})
    return run_id(metadata["name"]) if is_flows else str(metadata["name"])


def run_id(name: str) -> str:
    """The id of the run of a workflow with this name."""
    return RUN_PREFIX + name


def task_of(node: JSON, item: int | None = None) -> Task | None:
    """The task of a node, or that of an item of a pod that runs several; None if no step runs there."""
    inputs = inputs_of(node)
    step, path = inputs.get(STEP), inputs.get(PATH)
    if not step or path is None:
        return None
    return Task(step, f"{step}{path}" if item is None else f"{step}{path}-{item}")


def pathspec(head: Head, task: Task) -> str | None:
    """How Metaflow's Client API finds a task: `Flow/argo-run/step/task`. None without a flow."""
    flow = flow_of(head)
    return f"{flow}/{run_id(head.name)}/{task.step}/{task.id}" if flow else None
