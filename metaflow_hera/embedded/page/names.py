"""What people call runs and tasks: those of a flow as Metaflow does, and as `mfhera logs` takes them."""

from __future__ import annotations

from metaflow_hera.embedded.json_object import JSON

FLOW_NAME = "metaflow/flow_name"
"""The annotation of a flow's runs."""
RUN_PREFIX = "argo-"
STEP, PATH = "step", "path"


def run_id(metadata: JSON) -> str:
    """The id of a flow's run; the name of any other workflow."""
    is_flows = FLOW_NAME in (metadata.get("annotations") or {})
    return f"{RUN_PREFIX}{metadata['name']}" if is_flows else str(metadata["name"])


def task_name(node: JSON, item: int | None = None) -> str | None:
    """`train/0-3`: a step and the index in each foreach around it; None for the node of no step.

    `item` is the index of a task that shares the node's pods.
    """
    inputs = {each["name"]: each.get("value") for each in (node.get("inputs") or {}).get("parameters") or ()}
    step, path = inputs.get(STEP), inputs.get(PATH)
    if not step or path is None:
        return None
    place = [*path.split("-")[1:], *([] if item is None else [str(item)])]
    return "/".join([step, "-".join(place)]) if place else step
