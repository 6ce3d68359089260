"""The nodes of one workflow: creating them, changing them, and the counts that limits apply to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from metaflow_hera.embedded.controller.ids import node_id
from metaflow_hera.embedded.controller.progress import EXECUTABLE, Progress
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import timestamp

FULFILLED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
UNSUCCESSFUL = frozenset({"Failed", "Error"})
# What follows the name of the template around a node in its name (stepsOrDagSeparator in operator.go).
_SEPARATOR = re.compile(r"^(\[\d+\])?\.")
ACTIVE = frozenset({"Pending", "Running"})

MOST_NODES = 200_000
"""The most nodes of a workflow: Argo's own bound is the size of the object that it can store."""


class TooManyNodes(Exception):
    """A workflow has grown beyond `MOST_NODES`, for example because a template calls itself twice."""


def fulfilled(node: JSON) -> bool:
    """Whether a node is over (NodeStatus.Fulfilled).

    A node that was failed while its pod ran is not: the pod's results are still to come.
    """
    return node["phase"] in FULFILLED and node.get("taskResultSynced") is not False


class NodeTable:
    """All nodes by id. Every change goes through here, so that counts and `changed` are right."""

    def __init__(self, workflow: JSON, estimates: Mapping[str, int]) -> None:
        self._estimates = estimates
        self.workflow_name: str = workflow["metadata"]["name"]
        self.by_id: dict[str, JSON] = workflow["status"].setdefault("nodes", {})
        self.now = 0.0
        self.changed: dict[str, JSON] = {}
        self.progress = Progress()
        self.active_pods = 0
        self.running_pods = 0
        self.unsynced = 0
        self.active_children: defaultdict[str, int] = defaultdict(int)
        self.fulfilled = 0
        self._read()

    def _read(self) -> None:
        """Read the existing nodes, parents before children."""
        parents: defaultdict[str, int] = defaultdict(int)
        for node in self.by_id.values():
            for child in node.get("children", ()):
                parents[child] += 1
        ready = [node for key, node in self.by_id.items() if not parents[key]]
        while ready:
            node = ready.pop()
            self.progress.add(node)
            self._count(node, 1)
            for child in node.get("children", ()):
                self.progress.link(node["id"], child)
                parents[child] -= 1
                if not parents[child] and child in self.by_id:
                    ready.append(self.by_id[child])
        for node in self.progress.settle():
            self.changed[node["id"]] = node

    def id_of(self, name: str) -> str:
        """The id of the node of this name, which need not exist yet."""
        return node_id(self.workflow_name, name)

    def find(self, name: str) -> JSON | None:
        """The node of this name."""
        return self.by_id.get(self.id_of(name))

    def create(
        self,
        name: str,
        kind: str,
        phase: str,
        *,
        template: str,
        scope: str,
        boundary: JSON | None,
        message: str = "",
        inputs: JSON | None = None,
        flag: JSON | None = None,
    ) -> JSON:
        """Create a node (initializeNode in operator.go). Its parents must have been linked before."""
        display = name
        if len(self.by_id) >= MOST_NODES:
            raise TooManyNodes(f"it has more than {MOST_NODES:,} nodes")
        if boundary is not None:
            display = _SEPARATOR.sub("", name[len(boundary["name"]) :])
        now = timestamp(self.now)
        key = node_id(self.workflow_name, name)
        node: JSON = {
            "id": key,
            "name": name,
            "displayName": display,
            "type": kind,
            **({"templateName": template} if template else {}),
            "templateScope": scope,
            "phase": phase,
            "startedAt": now,
            "finishedAt": now if phase in FULFILLED else None,
        }
        if estimate := self._estimates.get(name.removeprefix(self.workflow_name)):
            node["estimatedDuration"] = estimate
        if boundary is not None:
            node["boundaryID"] = boundary["id"]
        if message:
            node["message"] = message
        if inputs:
            node["inputs"] = inputs
        if flag is not None:
            node["nodeFlag"] = flag
        if kind == "Pod":
            node["taskResultSynced"] = True
        if kind in EXECUTABLE:
            node["progress"] = "0/1"
        self.by_id[key] = node
        self.progress.add(node)
        self._count(node, 1)
        self.changed[key] = node
        return node

    def mark(self, node: JSON, phase: str, message: str | None = None, synced: bool = True) -> None:
        """Set the phase and, unless it is None, the message of a node.

        `synced` False says that a pod was failed from outside and its results are awaited.
        """
        old = node["phase"]
        self._count(node, -1)
        node["phase"] = phase
        if message is not None:
            if message:
                node["message"] = message
            else:
                node.pop("message", None)
        if node["type"] == "Pod":
            node["taskResultSynced"] = synced and phase != "Running"
        if phase in FULFILLED and not node.get("finishedAt"):
            node["finishedAt"] = timestamp(self.now)
        self._count(node, 1)
        if phase != old:
            self.progress.phase_changed(node, old)
        self.changed[node["id"]] = node

    def wait(self, node: JSON, lock: str, message: str) -> None:
        """Note for which lock a node waits, or, with "", that it waits no more (markNodeWaitingForLock)."""
        self._count(node, -1)
        if lock:
            node["synchronizationStatus"] = {"waiting": lock}
        else:
            node.pop("synchronizationStatus", None)
        if message:
            node["message"] = message
        else:
            node.pop("message", None)
        self._count(node, 1)
        self.changed[node["id"]] = node

    def progressed(self, key: str, done: int, total: int) -> None:
        """A pod has told how far it is (taskResultReconciliation in taskresult.go)."""
        node = self.by_id.get(key)
        if node is not None and node["phase"] not in FULFILLED:
            self.progress.told(node, done, total)
            self.changed[key] = node

    def touch(self, node: JSON) -> None:
        """Note that fields of a node other than its phase were changed."""
        self.changed[node["id"]] = node

    def link(self, parent: JSON, child: str, at: int | None = None) -> None:
        """Make the node named `child`, which need not exist yet, a child of `parent`."""
        key = node_id(self.workflow_name, child)
        children = parent.setdefault("children", [])
        # The items of a group come in order: only the last can be there already, if it had to wait.
        if key in (
            children[-1:] if parent["type"] in ("TaskGroup", "StepGroup") and at is None else children
        ):
            return
        if at is None:
            children.append(key)
        else:
            children.insert(at, key)
        self.progress.link(parent["id"], key)
        self.changed[parent["id"]] = parent

    def _count(self, node: JSON, sign: int) -> None:
        phase, kind = node["phase"], node["type"]
        if phase in FULFILLED:
            self.fulfilled += sign
        if kind == "Pod":
            if phase in ACTIVE:
                if "synchronizationStatus" not in node:  # its pod is yet to be created
                    self.active_pods += sign
                if phase == "Running":
                    self.running_pods += sign
            elif node.get("taskResultSynced") is False:
                self.unsynced += sign
        if phase in ACTIVE and kind in ("Pod", "DAG", "Steps"):
            boundary = node.get("boundaryID")
            if boundary is not None:
                self.active_children[boundary] += sign

    def outbound(self, node: JSON) -> list[str]:
        """The ids of the nodes whose child the next node becomes (getOutboundNodes)."""
        found: list[str] = []
        stack = [node]
        while stack:
            current = stack.pop()
            kind, children = current["type"], current.get("children", [])
            if kind == "TaskGroup" and children:
                stack.extend(self.by_id[child] for child in reversed(children) if child in self.by_id)
            elif kind == "Retry" and children:
                found.append(children[-1])
            elif kind in ("DAG", "Steps", "Retry"):
                stack.extend(self.by_id[key] for key in reversed(current.get("outboundNodes", [])))
            else:
                found.append(current["id"])
        return found
