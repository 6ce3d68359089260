"""What older versions of Argo cannot do, and how it is done there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metaflow_hera.argo.versions import is_before
from metaflow_hera.contract.objects import JSON, TEMPLATE

RETRIES_ITEMS = (3, 7, 2)
"""The first version whose retry lets a failed item go on where the foreach's body is a DAG.

Before, Argo leaves the TaskGroup Failed, so that nothing below it starts and the workflow is Running for ever
(resetBoundaries in Argo's workflow/util/util.go)."""
FAILED = ("Failed", "Error")


def retries_items(version: str) -> bool:
    """Whether a server of a version, such as v3.6.19, can retry single items; one without a number can."""
    return not is_before(version, RETRIES_ITEMS)


def limits(version: str, objects: Sequence[JSON]) -> list[str]:
    """Sentences on what a version cannot do with the objects of a deployment that newer ones can."""
    templates = [item for item in objects if item["kind"] == TEMPLATE]
    if retries_items(version) or not any(map(_has_items_that_are_dags, templates)):
        return []
    first = ".".join(map(str, RETRIES_ITEMS))
    return [
        f"Argo {version} retries a foreach of more than one step as a whole: mfhera retry runs all its items "
        f"again. From Argo {first} on only those that failed run."
    ]


def _has_items_that_are_dags(template: JSON) -> bool:
    templates = template["spec"]["templates"]
    dags = {each["name"]: each["dag"]["tasks"] for each in templates if "dag" in each}
    tasks = (task for tasks in dags.values() for task in tasks)
    return any(task.get("withParam") and task["template"] in dags for task in tasks)


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
