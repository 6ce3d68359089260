"""The pods of a run's tasks, by the names that Argo gives them."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_hera.argo.pods import pod_tasks, task_of_pods
from metaflow_hera.contract.kubernetes import pod_name
from metaflow_hera.embedded.controller import ids
from metaflow_hera.graph.tasks import TaskKey


def wide(items: int) -> dict[str, Any]:
    """A workflow with a foreach of so many items, of which the first was retried, and an exit hook."""

    def node(name: str, kind: str, phase: str, path: str = "", **more: Any) -> dict[str, Any]:
        parameters = [{"name": "step", "value": "work"}, {"name": "path", "value": path}]
        return {
            "id": name,
            "name": name,
            "type": kind,
            "phase": phase,
            "templateName": "task",
            "inputs": {"parameters": parameters},
            **more,
        }

    nodes = [node(f"w.work({item})", "Pod", "Succeeded", f"-{item}") for item in reversed(range(1, items))]
    nodes += [
        node("w.work(0)", "Retry", "Running", "-0", children=["w.work(0)(0)", "w.work(0)(1)"]),
        node("w.work(0)(0)", "Pod", "Failed", "-0", nodeFlag={"retried": True}),
        node("w.work(0)(1)", "Pod", "Running", "-0", nodeFlag={"retried": True}),
        {**node("w.onExit", "Pod", "Pending"), "inputs": {}},
    ]
    arguments = {"parameters": [{"name": "step", "value": "work"}]}
    dag = {"name": "flow", "dag": {"tasks": [{"name": "work", "template": "task", "arguments": arguments}]}}
    stored = {"entrypoint": "flow", "templates": [dag]}
    status = {"nodes": {each["name"]: each for each in nodes}, "storedWorkflowTemplateSpec": stored}
    return {"metadata": {"name": "w"}, "status": status}


def test_tasks_come_in_the_order_of_their_items_with_a_pod_for_each_attempt() -> None:
    first, *others = pod_tasks(wide(12))
    assert (first.task, first.ended) == (TaskKey("work", (0,)), False)
    assert [pod.name for pod in first.pods] == [
        pod_name("w", f"w.work(0)({attempt})", "task") for attempt in range(2)
    ]
    assert [each.task.path for each in others] == [(item,) for item in range(1, 12)]
    assert all(each.ended and len(each.pods) == 1 for each in others)


def test_a_pod_that_runs_no_step_is_known_as_such() -> None:
    found = task_of_pods(wide(3))
    task = found[pod_name("w", "w.work(0)(1)", "task")]
    assert task is not None
    assert task.task == TaskKey("work", (0,))
    assert [pod.ended for pod in task.pods] == [True, False]
    assert found[pod_name("w", "w.onExit", "task")] is None
    assert len(found) == 5


@pytest.mark.parametrize("workflow", ["w", "w" * 60])
@pytest.mark.parametrize("node", ["", ".start", ".work(0:ü)(1)", "." + "x" * 300])
def test_names_are_those_of_the_embedded_argo(workflow: str, node: str) -> None:
    for template in ("task", "t" * 250):
        assert pod_name(workflow, workflow + node, template) == ids.pod_name(
            workflow, workflow + node, template
        )
