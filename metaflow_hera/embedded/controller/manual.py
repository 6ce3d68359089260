"""`retry` and `resubmit` of a workflow that is over (workflow/util/util.go of Argo)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from metaflow_hera.embedded.controller.nodes import UNSUCCESSFUL
from metaflow_hera.embedded.errors import Refused
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import timestamp

_PREFIX = "workflows.argoproj.io/"
_OWN_LABELS = frozenset({"completed", "phase", "workflow-archiving-status", "creator", "creator-email"})
_ITEM_GROUPS = frozenset({"TaskGroup", "StepGroup"})
_GROUPS = _ITEM_GROUPS | {"DAG", "Steps"}


class CannotRetry(Refused):
    """A workflow that Argo will not retry; the message is Argo's."""


def retry(workflow: JSON, parameters: Sequence[str], now: float) -> JSON:
    """The workflow to continue from where it failed (FormulateRetryWorkflow).

    The nodes of failed pods, all that came after them and the exit handler are removed; what is above
    them is Running again. `parameters` are NAME=VALUE; `now` is in seconds since the epoch. The given
    workflow is not changed. Raises CannotRetry.
    """
    status = workflow["status"]
    phase = status.get("phase")
    if phase == "Succeeded":
        raise CannotRetry(
            "To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector"
        )
    if phase not in UNSUCCESSFUL:
        raise CannotRetry(f"Cannot retry a workflow in phase {phase}")
    fresh = copy.deepcopy(workflow)
    _reopen(fresh, now)
    override(fresh, parameters)
    nodes: dict[str, JSON] = fresh["status"]["nodes"]
    gone, reset = _plan(nodes, workflow["metadata"]["name"], bool(parameters))
    for key in gone:
        del nodes[key]
    for key, node in nodes.items():
        for field in ("children", "outboundNodes"):
            if field in node:
                node[field] = [other for other in node[field] if other not in gone]
                if not node[field]:
                    del node[field]
        if key in reset:
            _restart(node, now)
    return fresh


def _reopen(workflow: JSON, now: float) -> None:
    labels = workflow["metadata"].setdefault("labels", {})
    labels.pop(_PREFIX + "completed", None)
    labels.pop(_PREFIX + "workflow-archiving-status", None)
    labels[_PREFIX + "phase"] = "Running"
    labels[_PREFIX + "completed"] = "false"
    status = workflow["status"]
    status.update(phase="Running", startedAt=timestamp(now), finishedAt=None)
    status.pop("message", None)
    for condition in status.get("conditions") or ():
        if condition["type"] == "Completed":
            condition["status"] = "False"
    workflow["spec"].pop("shutdown", None)
    stored = status.get("storedWorkflowTemplateSpec")
    if stored:
        stored.pop("shutdown", None)


def _given(texts: Sequence[str]) -> dict[str, str]:
    """The parameters that a person gave as NAME=VALUE. Raises Refused for another form."""
    given = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise Refused(f"expected parameter of the form: NAME=VALUE. Received: {text}")
        given[name] = value
    return given


def override(workflow: JSON, parameters: Sequence[str]) -> None:
    """Set a workflow's arguments, given as NAME=VALUE: first those, then its own others (overrideParameters).

    What only its template gave it is lost, as in Argo: a pod that is started later finds its tags literally.
    Raises Refused for another form.
    """
    given = _given(parameters)
    if not given:
        return
    own = (workflow["spec"].get("arguments") or {}).get("parameters") or ()
    new = [{"name": name, "value": value} for name, value in given.items()]
    new += [parameter for parameter in own if parameter["name"] not in given]
    for spec in (workflow["spec"], (workflow.get("status") or {}).get("storedWorkflowTemplateSpec")):
        if spec:
            spec.setdefault("arguments", {})["parameters"] = new


def _plan(nodes: dict[str, JSON], workflow: str, overridden: bool) -> tuple[set[str], set[str]]:
    """The nodes to delete and those to set back to Running (FormulateRetryWorkflow).

    With parameters of the workflow `overridden`, groups on the way create their items again, even those
    that succeeded.
    """
    above = _parent_of(nodes)
    failed = _failed(nodes)
    gone: set[str] = set()
    reset: set[str] = set()
    for key in _from_the_root(nodes, workflow):
        if key in failed and key not in gone:
            gone |= _reach(nodes, [key])
            reset |= _reset_path(nodes, above, key)
    if overridden:
        for key in reset - gone:
            if nodes[key]["type"] in _ITEM_GROUPS:
                gone |= _reach(nodes, [key]) - {key}
    exit_prefix = workflow + ".onExit"
    gone |= {key for key, node in nodes.items() if node["name"].startswith(exit_prefix)}
    return gone, reset - gone


def _failed(nodes: dict[str, JSON]) -> set[str]:
    """The pods that failed, unless something after them, or a later attempt, succeeded."""
    retry_of = {
        child: key
        for key, node in nodes.items()
        if node["type"] == "Retry"
        for child in node.get("children", ())
    }
    found: set[str] = set()
    for key, node in nodes.items():
        if node["phase"] in UNSUCCESSFUL and node["type"] == "Pod":
            retried = (node.get("nodeFlag") or {}).get("retried")
            start = retry_of.get(key, key) if retried else key
            if not _has_success_after(nodes, start):
                found.add(key)
    return found


def _parent_of(nodes: dict[str, JSON]) -> dict[str, str]:
    """One parent per node: of several the last in the order of ids, as in newWorkflowsDag."""
    return {child: key for key in sorted(nodes) for child in nodes[key].get("children", ())}


def _from_the_root(nodes: dict[str, JSON], workflow: str) -> list[str]:
    """The nodes below the root, breadth first (dagSortedNodes)."""
    found = dict.fromkeys([workflow] if workflow in nodes else [])
    queue = list(found)
    for key in queue:
        for child in nodes[key].get("children", ()):
            if child in nodes and child not in found:
                found[child] = None
                queue.append(child)
    return queue


def _reset_path(nodes: dict[str, JSON], above: dict[str, str], start: str) -> set[str]:
    """What is on the way from a node to the root: groups, failed retries, boundaries (resetPath)."""
    reset: set[str] = set()
    key: str | None = start
    while key is not None:
        node = nodes[key]
        if node["type"] in _GROUPS:
            reset.add(key)
            key = _reset_boundaries(nodes, above, key, reset)
        else:
            if node["type"] == "Retry" and node["phase"] in UNSUCCESSFUL:
                reset.add(key)
            key = above.get(key)
    return reset


def _reset_boundaries(nodes: dict[str, JSON], above: dict[str, str], key: str, reset: set[str]) -> str | None:
    """Reset the DAGs around a group, and the groups and retries that they belong to (resetBoundaries)."""
    current = key
    while True:
        parent = above.get(current)
        if parent is not None and nodes[parent]["type"] == "Retry":
            reset.add(parent)
            current, parent = parent, above.get(parent)
        if parent is not None and nodes[parent]["type"] in _ITEM_GROUPS:
            reset.add(parent)
        boundary = nodes[current].get("boundaryID")
        if boundary is None:
            return parent
        while current != boundary:
            if current not in above:
                raise CannotRetry("was seeking node but ran out of nodes to explore")
            current = above[current]
        reset.add(current)


def _reach(nodes: dict[str, JSON], start: Iterable[str]) -> set[str]:
    found: set[str] = set()
    stack = [key for key in start if key in nodes]
    while stack:
        key = stack.pop()
        if key not in found:
            found.add(key)
            stack += [child for child in nodes[key].get("children", ()) if child in nodes]
    return found


def _has_success_after(nodes: dict[str, JSON], key: str) -> bool:
    return any(nodes[each]["phase"] == "Succeeded" for each in _reach(nodes, [key]) - {key})


def _restart(node: JSON, now: float) -> None:
    if node["phase"] != "Skipped":
        node["phase"] = "Running"
    node.pop("message", None)
    node["startedAt"] = timestamp(now)
    node["finishedAt"] = None


def resubmit(workflow: JSON, name: str, parameters: Sequence[str]) -> JSON:
    """A new workflow with the same spec, called `name` (FormulateResubmitWorkflow).

    The metadata that a server gives (uid, times...) is left to the caller.
    """
    old = workflow["metadata"]
    metadata: JSON = {"name": name, "generateName": old["name"].removesuffix("-") + "-"}
    if old.get("generateName"):
        metadata["generateName"] = old["generateName"]
    if "namespace" in old:
        metadata["namespace"] = old["namespace"]
    labels = {
        key: value
        for key, value in (old.get("labels") or {}).items()
        if key.removeprefix(_PREFIX) not in _OWN_LABELS or not key.startswith(_PREFIX)
    }
    labels[_PREFIX + "resubmitted-from-workflow"] = old["name"]
    metadata["labels"] = labels
    if old.get("annotations"):
        metadata["annotations"] = dict(old["annotations"])
    spec = copy.deepcopy(workflow["spec"])
    for key in ("shutdown", "suspend"):
        spec.pop(key, None)
    fresh: JSON = {"metadata": metadata, "spec": spec, "status": {}}
    override(fresh, parameters)
    return fresh
