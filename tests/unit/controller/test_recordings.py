"""The controller against what a real Argo 4.1.2 made of the same workflows, node for node."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.controller.manual import resubmit, retry
from metaflow_hera.embedded.controller.messages import Resume, Shutdown, Suspend

from .world import World, workflow_of

JSON = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "data" / "recordings"
# `refusals` holds answers of the API to bad specs, not runs: see test_refusals.py.
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "refusals")
NOT_COVERED: dict[str, str] = {}

# Not in the recordings, since they differ from run to run.
VARYING = ("startedAt", "finishedAt", "taskResultSynced")


def shown(status: JSON) -> JSON:
    """A status as far as it can be compared.

    Argo collects the dependencies of a task in a Go map, so the order in which their nodes get
    children is by chance. The children of a group or of a retry are in the order of items or attempts.
    """
    nodes = {}
    for key, node in status["nodes"].items():
        node = {k: v for k, v in node.items() if k not in VARYING}
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
    spec = recording["spec"]
    world = World(workflow_of(recording["name"], spec), folder, rebuild)
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
            fresh["metadata"].setdefault("creationTimestamp", "2023-11-14T22:13:20Z")
            world = World(fresh, folder / "again", rebuild)
            world.advance()
        else:
            raise AssertionError(action)
    world.run()
    return world, snapshots


def read(name: str) -> JSON:
    recording: JSON = json.loads((FOLDER / f"{name}.json").read_text())
    return recording


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_COVERED])
@pytest.mark.parametrize("rebuild", [False, True], ids=["kept", "rebuilt"])
def test_as_recorded(name: str, rebuild: bool, tmp_path: Path) -> None:
    recording = read(name)
    world, snapshots = play(recording, tmp_path, rebuild)
    assert [shown(each) for each in snapshots] == [shown(each) for each in recording["snapshots"]]
    assert shown(world.workflow["status"]) == shown(recording["status"])
    assert world.workflow["metadata"]["labels"] == recording["labels"]
    spec = recording["spec"]
    after = {k: v for k, v in world.workflow["spec"].items() if k not in spec}
    assert after == recording["spec_after"]
    # What the outcomes said is what became of the nodes.
    assert world.nodes == world.workflow["status"]["nodes"]
