"""The pods that wait for room: one workflow after the other, in order within each."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence

from metaflow_hera.embedded.storage.reader import PodRow

POD_GROUP = "scheduling.x-k8s.io/pod-group"
"""The annotation of pods that only make sense together: once one of a group runs, all do, room or not. The
name is that of the label of Kubernetes' coscheduling plugin."""


def group_of(row: PodRow) -> str | None:
    """The group that a pod is in."""
    if not row.pod or POD_GROUP not in row.pod:  # few are in one, and parsing takes a while
        return None
    found = (json.loads(row.pod).get("annotations") or {}).get(POD_GROUP)
    return None if found is None else str(found)


class PodQueue:
    """Node ids by the uid of their workflow; what waits in a group of pods can be taken together."""

    def __init__(self) -> None:
        # For each node the group that it is in, or None.
        self._workflows: OrderedDict[str, OrderedDict[str, str | None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._workflows)

    def put(self, uid: str, node_id: str, group: str | None) -> None:
        """Queue a pod behind the others of its workflow."""
        self._workflows.setdefault(uid, OrderedDict())[node_id] = group

    def put_back(self, uid: str, node_id: str, group: str | None) -> None:
        """Queue a pod that was taken again, before the others of its workflow."""
        self.put(uid, node_id, group)
        self._workflows[uid].move_to_end(node_id, last=False)

    def take(self) -> tuple[str, str]:
        """Take the next pod to start; the one after it is of another workflow."""
        uid, pods = next(iter(self._workflows.items()))
        node_id, _ = pods.popitem(last=False)
        self._workflows.move_to_end(uid)
        if not pods:
            del self._workflows[uid]
        return uid, node_id

    def remove(self, uid: str, node_id: str) -> bool:
        """Remove a pod; returns whether it waited."""
        pods = self._workflows.get(uid)
        if pods is None or node_id not in pods:
            return False
        del pods[node_id]
        if not pods:
            del self._workflows[uid]
        return True

    def forget(self, uid: str) -> None:
        """Remove all pods of a workflow."""
        self._workflows.pop(uid, None)

    def take_group(self, uid: str, group: str) -> Sequence[str]:
        """Take the waiting pods of a group."""
        found = [node_id for node_id, its in self._workflows.get(uid, {}).items() if its == group]
        for node_id in found:
            self.remove(uid, node_id)
        return found

    def count(self, uid: str) -> int:
        """How many pods of a workflow wait."""
        return len(self._workflows.get(uid, ()))
