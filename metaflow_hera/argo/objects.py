"""Reading Argo's objects: which deployment they belong to, their parameters, and which nodes are attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from metaflow_hera.contract import manifest
from metaflow_hera.contract.objects import JSON


def template_of(cron: JSON) -> str:
    """The name of the template that a cron workflow starts workflows from."""
    return str(((cron["spec"].get("workflowSpec") or {}).get("workflowTemplateRef") or {}).get("name"))


def templates_of(sensor: JSON) -> list[str]:
    """The names of the templates that a sensor starts workflows from."""
    import yaml  # which few sensors need, and no verb that only reads

    found = []
    for trigger in sensor["spec"].get("triggers") or ():
        template = trigger.get("template") or {}
        source = (template.get("k8s") or template.get("argoWorkflow") or {}).get("source") or {}
        try:
            workflow = source.get("resource") or yaml.safe_load(source.get("inline") or "")
            found.append(str(workflow["spec"]["workflowTemplateRef"]["name"]))
        except (yaml.YAMLError, TypeError, KeyError):
            continue  # somebody else's, which starts something else
    return found


def is_cron_of(cron: JSON, deployment: str) -> bool:
    """Whether a cron workflow is part of a deployment, of this version or an older one.

    Others may start the template with cron workflows of their own: those are not part of it.
    """
    metadata = cron["metadata"]
    labels = metadata.get("labels") or {}
    # Those of Metaflow's own plugin have no such label, but have the name of their template.
    is_from_flow = labels.get(manifest.PART_OF) == manifest.METAFLOW or metadata["name"] == deployment
    return is_from_flow and template_of(cron) == deployment


def sensor_place(template: JSON, namespace: str) -> tuple[str, str] | None:
    """The name and the namespace of a deployment's sensor, as its template says; None if it has no sensor.

    `namespace` is that of the template. The annotations are those of Metaflow's own plugin.
    """
    notes = template["metadata"].get("annotations") or {}
    if manifest.SENSOR_NAME not in notes:
        return None
    return notes[manifest.SENSOR_NAME], notes.get(manifest.SENSOR_NAMESPACE, namespace)


def arguments_of(owner: JSON) -> dict[str, str]:
    """The arguments of the spec of a workflow or a template, or of a DAG's task, by their names."""
    return _parameters(owner.get("arguments"))


def containers_of(template: JSON) -> list[JSON]:
    """The containers of a workflow template, those of its pods' main containers, in their order."""
    parts = (template.get("spec") or {}).get("templates") or ()
    return [part["container"] for part in parts if part.get("container") is not None]


def variables_of(container: JSON) -> dict[str, Any]:
    """The variables of a container by their names; None for one whose value comes from elsewhere."""
    return {each["name"]: each.get("value") for each in container.get("env") or ()}


def stored_spec(workflow: JSON) -> JSON:
    """The template's spec that a workflow was started from, which it keeps; empty if it has none."""
    found: JSON = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    return found


def inputs_of(node: JSON) -> dict[str, str]:
    """The inputs of a node, by their names."""
    return _parameters(node.get("inputs"))


def is_attempt(node: JSON) -> bool:
    """Whether a node is one attempt of a Retry node, which is the task."""
    return bool((node.get("nodeFlag") or {}).get("retried", False))


def _parameters(found: JSON | None) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in (found or {}).get("parameters") or ()}


def parse_time(text: str | None) -> datetime | None:
    """A time as Kubernetes writes it."""
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))
