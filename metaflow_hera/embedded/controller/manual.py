"""`retry` and `resubmit` of a workflow that is over (workflow/util/util.go of Argo)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from metaflow_hera.errors import ManifestError

from ..kubernetes_time import timestamp
from .nodes import UNSUCCESSFUL

JSON = dict[str, Any]

_PREFIX = "workflows.argoproj.io/"
_OWN_LABELS = frozenset({"completed", "phase", "workflow-archiving-status", "creator", "creator-email"})
_GROUPS = frozenset({"DAG", "TaskGroup", "Retry"})


class CannotRetry(ManifestError):
    """A workflow that Argo will not retry; the message is Argo's."""


def retry(workflow: JSON, parameters: Sequence[str], now: float) -> JSON:
    """The workflow to go on with from where it failed (FormulateRetryWorkflow).

    The nodes of failed pods, all that came after them and the exit handler are gone; what lies above
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
    gone = _deleted(nodes, workflow["metadata"]["name"])
    reset = _reset(nodes, gone)
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


def given_parameters(texts: Sequence[str]) -> dict[str, str]:
    """What a person gave as NAME=VALUE. Raises ManifestError for another form."""
    given = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ManifestError(f"expected parameter of the form: NAME=VALUE. Received: {text}")
        given[name] = value
    return given


def override(workflow: JSON, parameters: Sequence[str]) -> None:
    """Set the workflow's arguments, given as NAME=VALUE. Raises ManifestError for another form."""
    given = given_parameters(parameters)
    if not given:
        return
    specs = [workflow["spec"], workflow.get("status", {}).get("storedWorkflowTemplateSpec")]
    for spec in filter(None, specs):
        arguments = spec.setdefault("arguments", {})
        kept = [
            {**p, "value": given[p["name"]]} if p["name"] in given else p
            for p in arguments.get("parameters") or ()
        ]
        known = {parameter["name"] for parameter in kept}
        kept += [{"name": name, "value": value} for name, value in given.items() if name not in known]
        arguments["parameters"] = kept


def _deleted(nodes: dict[str, JSON], workflow: str) -> set[str]:
    parents = _parents(nodes)
    roots: list[str] = []
    for key, node in nodes.items():
        if node["phase"] in UNSUCCESSFUL and node["type"] == "Pod":
            start = parents[key][0] if (node.get("nodeFlag") or {}).get("retried") else key
            if not _has_success_after(nodes, start):
                roots.append(key)
    for key in list(roots):
        roots += _siblings(nodes, parents, key)
    gone = _reach(nodes, roots)
    exit_prefix = workflow + ".onExit"
    gone |= {key for key, node in nodes.items() if node["name"].startswith(exit_prefix)}
    return gone


def _siblings(nodes: dict[str, JSON], parents: dict[str, list[str]], key: str) -> list[str]:
    """The other pods of a fan whose pod failed: Argo runs them all again, those that succeeded too."""
    groups = [nodes[parent] for parent in parents.get(key, ()) if nodes[parent]["type"] == "TaskGroup"]
    found = [child for group in groups for child in group["children"] if child in nodes]
    return [child for child in found if nodes[child]["type"] == "Pod"]


def _parents(nodes: dict[str, JSON]) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {}
    for key, node in nodes.items():
        for child in node.get("children", ()):
            parents.setdefault(child, []).append(key)
    return parents


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


def _reset(nodes: dict[str, JSON], gone: set[str]) -> set[str]:
    """Everything that lies around what is gone: groups, retries, and the DAGs they are in."""
    parents = _parents(nodes)
    reset: set[str] = set()
    stack = list(gone)
    while stack:
        node = nodes[stack.pop()]
        around = [node["boundaryID"]] if node.get("boundaryID") else []
        around += [key for key in parents.get(node["id"], ()) if nodes[key]["type"] in ("TaskGroup", "Retry")]
        for key in around:
            if key not in reset and key not in gone and nodes[key]["type"] in _GROUPS:
                reset.add(key)
                stack.append(key)
    return reset


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
