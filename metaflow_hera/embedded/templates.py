"""What the rules and the controller both read from an Argo template: its pod, and the items of a task."""

from __future__ import annotations

from metaflow_hera.embedded.json_object import JSON

ITEM_FIELDS = ("withItems", "withParam", "withSequence")
"""The fields of a task, or a step, that make it a TaskGroup; it has at most one of them."""


def pod_container(template: JSON) -> JSON | None:
    """The container of a template that makes a pod: a container's or a script's (IsPodType)."""
    container: JSON | None = template.get("container")
    return container if container is not None else template.get("script")


def is_task_group(task: JSON) -> bool:
    """Whether a task runs once for each item."""
    return bool(item_fields(task))


def item_fields(task: JSON) -> list[str]:
    """Those of ITEM_FIELDS that a task has: an empty `withItems` does not count, a reference does.

    An empty `withSequence` counts: it is one that lacks its count.
    """
    return [field for field in ITEM_FIELDS if task.get(field) or task.get(field) == {}]
