"""What older versions of Argo cannot do, and how it is done there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metaflow_hera.contract.objects import JSON

RETRIES_ITEMS = (3, 7, 2)
"""The first version whose retry lets a failed item go on where the foreach's body is a DAG.

Before, Argo leaves the TaskGroup Failed, so that nothing below it starts and the workflow is Running for ever
(resetBoundaries in Argo's workflow/util/util.go)."""
FAILED = ("Failed", "Error")


def retries_items(version: str) -> bool:
    """Whether a server of a version, such as v3.6.19, can retry single items; one without a number can."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    numbers = tuple(map(int, found.groups())) if found else (0, 0, 0)
    return numbers[0] == 0 or numbers >= RETRIES_ITEMS


def failed_groups(workflow: JSON) -> list[str]:
    """The names of the outermost TaskGroup nodes with a failed item that is a DAG."""
    nodes: Mapping[str, JSON] = (workflow.get("status") or {}).get("nodes") or {}
    items = {
        child: node["name"]
        for node in nodes.values()
        if node["type"] == "TaskGroup" and node.get("phase") in FAILED
        for child in node.get("children") or ()
        if child in nodes and nodes[child]["type"] == "DAG" and nodes[child].get("phase") in FAILED
    }

    def is_inside(item: str) -> bool:
        around = str(nodes[item].get("boundaryID"))
        while around in nodes:
            if around in items:
                return True
            around = str(nodes[around].get("boundaryID"))
        return False

    return sorted({name for item, name in items.items() if not is_inside(item)})
