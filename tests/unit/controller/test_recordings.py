"""The controller against what a real Argo 4.1.2 made of the same workflows, node for node."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.api.submission import apply_options
from metaflow_hera.embedded.controller.manual import resubmit, retry
from metaflow_hera.embedded.controller.messages import Resume, Shutdown, Suspend
from metaflow_hera.embedded.rules.validation import (
    Invalid,
    merge_specs,
    validate_template,
    validate_workflow,
)

from .world import World, workflow_of

JSON = dict[str, Any]
FOLDERS = [Path(__file__).parents[2] / "data" / folder for folder in ("recordings", "recordings-2")]
# `refusals` holds answers of the API to bad specs, not runs: see test_refusals.py.
RECORDED: dict[str, JSON] = {
    path.stem: json.loads(path.read_text())
    for folder in FOLDERS
    for path in sorted(folder.glob("*.json"))
    if path.stem != "refusals"
}
REFUSED = sorted(name for name, recorded in RECORDED.items() if "refused" in recorded)
NAMES = sorted(RECORDED.keys() - REFUSED)

# Not in the recordings, since they differ from run to run.
VARYING = ("startedAt", "finishedAt", "taskResultSynced")


def shown(status: JSON) -> JSON:
    """A status as far as it can be compared.

    Argo collects the dependencies of a task in a Go map, so the order in which their nodes get
    children is by chance. The children of a group or of a retry are in the order of items or attempts.
    """
    nodes = {}
    for key, node in status["nodes"].items():
        # What is empty is left out of the recordings, as `nodeFlag` of a skipped node.
        node = {k: v for k, v in node.items() if k not in VARYING and v != {}}
        if "children" in node and node["type"] not in ("TaskGroup", "Retry"):
            node["children"] = sorted(node["children"])
        nodes[key] = node
    keys = ("phase", "progress", "message", "conditions")
    return {**{k: status[k] for k in keys if k in status}, "nodes": nodes}


def reached(world: World, task: str, phase: str) -> bool:
    nodes = world.workflow["status"]["nodes"].values()
    return any(node["displayName"] == task and node["phase"] == phase for node in nodes)


def play(recording: JSON, folder: Path, rebuild: bool = False) -> tuple[World, list[JSON]]:
    """Run a recorded workflow with its recorded actions; returns the world and the snapshots."""
    world = World(begun(recording), folder, rebuild)
    world.advance()
    snapshots: list[JSON] = []
    for action, *arguments in recording["actions"]:
        if action == "until":
            task, phase = arguments
            world.run(partial(reached, world, task, phase))
        elif action == "end":
            world.run()
        elif action == "snapshot":
            snapshots.append(copy.deepcopy(world.workflow["status"]))
        elif action == "sleep":
            while world._queue and world._queue[0][0] <= world.now + arguments[0]:
                world.step()
            world.now += arguments[0]
        elif action in ("stop", "terminate"):
            world.advance(Shutdown("Stop" if action == "stop" else "Terminate"))
        elif action == "suspend":
            world.advance(Suspend())
        elif action == "resume":
            world.advance(Resume())
        elif action == "retry":
            workflow = retry(world.workflow, arguments[0].get("parameters", []), world.now)
            world = World(workflow, folder / "again", rebuild)
            world.advance()
        elif action == "resubmit":
            name = min(recording["status"]["nodes"], key=len)
            fresh = resubmit(world.workflow, name, arguments[0].get("parameters", []))
            keep_template(fresh, recording)
            fresh["metadata"].setdefault("creationTimestamp", "2023-11-14T22:13:20Z")
            world = World(fresh, folder / "again", rebuild)
            world.advance()
        else:
            raise AssertionError(action)
    world.run()
    return world, snapshots


def begun(recording: JSON) -> JSON:
    """A recorded workflow at its start: of its spec, or submitted from its template."""
    if "spec" in recording:
        return workflow_of(recording["name"], recording["spec"])
    name = recording["name"]
    workflow = workflow_of(name, {"workflowTemplateRef": {"name": name}})
    workflow["metadata"]["labels"] = {"workflows.argoproj.io/workflow-template": name}
    apply_options(workflow, recording["submit"])
    keep_template(workflow, recording)
    return workflow


def keep_template(workflow: JSON, recording: JSON) -> None:
    """Keep what the template says in the workflow's status, as at a submission."""
    if "template" in recording:
        merged = merge_specs(workflow["spec"], recording["template"])
        workflow["status"]["storedWorkflowTemplateSpec"] = copy.deepcopy(merged)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rebuild", [False, True], ids=["kept", "rebuilt"])
def test_as_recorded(name: str, rebuild: bool, tmp_path: Path) -> None:
    recording = RECORDED[name]
    validate(recording)
    world, snapshots = play(recording, tmp_path, rebuild)
    assert [shown(each) for each in snapshots] == [shown(each) for each in recording["snapshots"]]
    assert shown(world.workflow["status"]) == shown(recording["status"])
    assert world.workflow["metadata"]["labels"] == recording["labels"]
    after = world.workflow["spec"]
    if "spec" in recording:
        after = {key: value for key, value in after.items() if key not in recording["spec"]}
    assert after == recording["spec_after"]
    stored = world.workflow["status"].get("storedWorkflowTemplateSpec") or {}
    expected = recording["status"].get("storedWorkflowTemplateSpec") or {}
    assert stored.get("arguments") == expected.get("arguments")
    # What the outcomes said is what became of the nodes.
    assert world.nodes == world.workflow["status"]["nodes"]


def validate(recording: JSON) -> None:
    if "spec" in recording:
        validate_workflow({"metadata": {"name": recording["name"]}, "spec": recording["spec"]})
    else:
        validate_template({"metadata": {"name": recording["name"]}, "spec": recording["template"]})


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_recorded(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate(RECORDED[name])
    assert {"code": caught.value.code, "message": caught.value.message} == RECORDED[name]["refused"]
