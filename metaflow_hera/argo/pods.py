"""The tasks of a run and their pods, according to the nodes of its workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from metaflow_hera.argo.objects import inputs_of, is_attempt, parse_time
from metaflow_hera.argo.progress import progress
from metaflow_hera.argo.shared_pods import items_of
from metaflow_hera.contract.kubernetes import pod_name
from metaflow_hera.contract.manifest import PATH, STEP
from metaflow_hera.contract.objects import JSON
from metaflow_hera.graph.tasks import TaskKey, parse_path

UNENDED = ("", "Pending", "Running")


@dataclass(frozen=True)
class Pod:
    """A pod. `started` is when Argo created it; after a retry of the run a new pod may have an old name."""

    name: str
    started: datetime | None
    ended: bool


@dataclass(frozen=True)
class PodTask:
    """What one or more pods of a run do: a task, or all iterations of a loop, each of which is a task.

    `pods` are those that Argo knows, one for each attempt since the run was last retried. `items` are those
    of a foreach if a pod runs a task for each of them: `task` is then the place of the foreach.
    """

    task: TaskKey
    pods: Sequence[Pod]
    ended: bool
    items: range | None = None

    @property
    def tasks(self) -> list[TaskKey]:
        """The tasks that the pods run; of a loop the one that its iterations belong to."""
        if self.items is None:
            return [self.task]
        return [TaskKey(self.task.step, (*self.task.path, item)) for item in self.items]


def pod_tasks(workflow: JSON) -> Iterator[PodTask]:
    """The tasks that a workflow has begun, step by step, within a step in the order of their paths."""
    name, status = workflow["metadata"]["name"], workflow.get("status") or {}
    nodes: Mapping[str, JSON] = status.get("nodes") or {}
    found: dict[str, list[PodTask]] = {step.name: [] for step in progress(status)}
    for node in nodes.values():
        inputs = inputs_of(node)
        step = inputs.get(STEP, "")
        if step not in found or is_attempt(node) or node["type"] not in ("Pod", "Retry"):
            continue
        children = (nodes.get(child) for child in node.get("children") or ())
        attempts = [node] if node["type"] == "Pod" else [c for c in children if c and c["type"] == "Pod"]
        pods = [
            Pod(
                pod_name(name, each["name"], each.get("templateName", "")),
                parse_time(each.get("startedAt")),
                _has_ended(each),
            )
            for each in attempts
        ]
        task = TaskKey(step, parse_path(inputs.get(PATH, "")))
        found[step].append(PodTask(task, pods, _has_ended(node), items_of(node)))
    for tasks in found.values():
        yield from sorted(tasks, key=lambda each: (each.task.path, each.items[0] if each.items else 0))


def _has_ended(node: JSON) -> bool:
    return (node.get("phase") or "") not in UNENDED


def task_of_pods(workflow: JSON) -> dict[str, PodTask | None]:
    """Which task each pod runs, by the pod's name; None for pods that run no step."""
    name, nodes = workflow["metadata"]["name"], (workflow.get("status") or {}).get("nodes") or {}
    found: dict[str, PodTask | None] = {
        pod_name(name, node["name"], node.get("templateName", "")): None
        for node in nodes.values()
        if node["type"] == "Pod"
    }
    for each in pod_tasks(workflow):
        found.update((pod.name, each) for pod in each.pods)
    return found
