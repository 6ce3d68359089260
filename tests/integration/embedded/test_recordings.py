"""Workflows that a real Argo 4.1.2 ran, run here over HTTP with real processes: the same nodes at the end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .conftest import DATA, Argo, unequal

RECORDINGS = sorted(path.stem for path in (DATA / "recordings").glob("*.json") if path.stem != "refusals")
LATER: dict[str, Any] = {
    path.stem: json.loads(path.read_text()) for path in (DATA / "recordings-2").glob("*.json")
}
"""Recorded later: also workflows of a template, and what create refuses."""
REFUSED = sorted(name for name in LATER if "refused" in LATER[name])
ALSO_RUN = sorted(LATER.keys() - REFUSED)

# Facts of a run, not of its outcome.
TIMES = {
    "startedAt",
    "finishedAt",
    "hostNodeName",
    "taskResultSynced",
    "estimatedDuration",
    "resourcesDuration",
}


def node_view(node: Any) -> Any:
    kept = {key: value for key, value in node.items() if key not in TIMES and value not in (None, {}, [])}
    # Argo walks Go's maps, whose order changes from run to run; in groups it walks lists.
    for key in ("children", "outboundNodes"):
        if key in kept and node["type"] not in ("TaskGroup", "Retry"):
            kept[key] = sorted(kept[key])
    return kept


def view(status: Any, shut_down: bool) -> Any:
    nodes = {key: node_view(node) for key, node in (status.get("nodes") or {}).items()}
    shown = {key: status[key] for key in ("phase", "message", "progress", "conditions") if key in status}
    if shut_down:  # whether the pods that were told to end are gone before the exit handler's is chance
        shown["conditions"] = [c for c in shown["conditions"] if c["type"] != "PodRunning"]
    return {**shown, "nodes": nodes}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recorded_workflow_ends_the_same(argo: Argo, name: str) -> None:
    replay(argo, name, json.loads((DATA / "recordings" / f"{name}.json").read_text()))


@pytest.mark.parametrize("name", ALSO_RUN)
def test_a_recorded_workflow_of_a_template_ends_the_same(argo: Argo, name: str) -> None:
    recorded = LATER[name]
    workflow = replay(argo, name, recorded)
    stored = workflow["status"].get("storedWorkflowTemplateSpec") or {}
    expected = recorded["status"].get("storedWorkflowTemplateSpec") or {}
    assert stored.get("arguments") == expected.get("arguments")
    if "template" in recorded:
        assert workflow["spec"] == recorded["spec_after"]
    for key, value in recorded["annotations"].items():
        assert workflow["metadata"]["annotations"][key] == value


@pytest.mark.parametrize("name", REFUSED)
def test_a_recorded_workflow_is_refused(argo: Argo, name: str) -> None:
    assert create(argo, name) == LATER[name]["refused"]


def create(argo: Argo, name: str) -> Any:
    """What a server says that refuses a recorded workflow."""
    body = {"workflow": {"metadata": {"name": name}, "spec": LATER[name]["spec"]}}
    answer = argo.http.post("/workflows/argo", json=body)
    assert answer.status_code == 400
    return answer.json()


def begin(argo: Argo, name: str, recorded: Any) -> None:
    """Start a recorded workflow: by its spec, or from its template as it was submitted."""
    if "spec" in recorded:
        argo.run(recorded["spec"], name)
        return
    template = {"metadata": {"name": name, "namespace": "argo"}, "spec": recorded["template"]}
    argo.call("POST", "/workflow-templates/argo", {"template": template})
    options = {**recorded["submit"], "name": name}
    body = {"resourceKind": "WorkflowTemplate", "resourceName": name, "submitOptions": options}
    argo.call("POST", "/workflows/argo/submit", body)


def replay(argo: Argo, name: str, recorded: Any) -> Any:
    """Do what was done to a recorded workflow, and demand the same of it; the workflow at its end."""
    begin(argo, name, recorded)
    current, snapshots, answers = name, [], []
    for action, *arguments in recorded["actions"]:
        if action == "end":
            argo.end(current)
        elif action == "until":
            display, phase = arguments
            argo.until(current, lambda wf, d=display, p=phase: state(wf, d) == p)
        elif action == "sleep":
            time.sleep(arguments[0] / 10)
        elif action == "snapshot":
            snapshots.append(view(argo.get(current)["status"], False))
        else:
            answer = argo.http.put(f"/workflows/argo/{current}/{action}", json=arguments[0])
            answers.append([action, answer.status_code, None])
            if action == "resubmit":
                current = answer.json()["metadata"]["name"]
    assert answers == recorded.get("answers", [])
    expected = recorded["status"]
    if expected["phase"] == "Running":
        phases = {key: node["phase"] for key, node in expected["nodes"].items()}
        workflow = argo.until(
            current, lambda wf: {k: n["phase"] for k, n in wf["status"].get("nodes", {}).items()} == phases
        )
    else:
        workflow = argo.end(current)
    if current != name:  # a resubmitted workflow has a name, and so node ids, of its own
        assert sorted(n["phase"] for n in workflow["status"]["nodes"].values()) == sorted(
            n["phase"] for n in expected["nodes"].values()
        )
        return workflow
    shut_down = any(action[0] in ("stop", "terminate") for action in recorded["actions"])
    wrong = unequal(view(workflow["status"], shut_down), view(expected, shut_down))
    for one, two in zip(snapshots, recorded["snapshots"], strict=True):
        wrong += unequal(one, view(two, False))
    assert not wrong, "\n".join(wrong)
    for key, value in recorded["labels"].items():
        assert workflow["metadata"]["labels"][key] == value
    return workflow


def state(workflow: Any, display: str) -> str:
    nodes = (workflow["status"].get("nodes") or {}).values()
    return next((node["phase"] for node in nodes if node["displayName"] == display), "")
