"""Which deployment an object of Argo's belongs to, as the object itself says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from metaflow_hera.argo.client import JSON

PART_OF = ("app.kubernetes.io/part-of", "metaflow")
"""The label of templates and cron workflows that are deployed from flows. Metaflow's own plugin gives it to
templates alone."""


def template_of(cron: JSON) -> str:
    """The name of the template that a cron workflow starts workflows of."""
    return str(((cron["spec"].get("workflowSpec") or {}).get("workflowTemplateRef") or {}).get("name"))


def templates_of(sensor: JSON) -> list[str]:
    """The names of the templates that a sensor starts workflows of."""
    found = []
    for trigger in sensor["spec"].get("triggers") or ():
        template = trigger.get("template") or {}
        source = (template.get("k8s") or template.get("argoWorkflow") or {}).get("source") or {}
        try:
            workflow = source.get("resource") or yaml.safe_load(source.get("inline") or "")
            found.append(str(workflow["spec"]["workflowTemplateRef"]["name"]))
        except (yaml.YAMLError, TypeError, KeyError):
            continue  # somebody else's, who starts something else
    return found


def is_cron_of(cron: JSON, deployment: str) -> bool:
    """Whether a cron workflow is part of a deployment, of this version or an older one.

    Others may start the template by cron workflows of their own: those are not part of it.
    """
    label, value = PART_OF
    metadata = cron["metadata"]
    is_from_flow = (metadata.get("labels") or {}).get(label) == value or metadata["name"] == deployment
    return is_from_flow and template_of(cron) == deployment


def sensor_place(template: JSON, namespace: str) -> tuple[str, str] | None:
    """The name and the namespace of a deployment's sensor, as its template says; None if it has no sensor.

    `namespace` is that of the template. The annotations are those of Metaflow's own plugin.
    """
    notes = template["metadata"].get("annotations") or {}
    if "metaflow/sensor_name" not in notes:
        return None
    return notes["metaflow/sensor_name"], notes.get("metaflow/sensor_namespace", namespace)
