"""The whole deployment of a flow as Hera objects: the WorkflowTemplate and what belongs to it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hera.workflows import CronWorkflow, WorkflowTemplate
from hera.workflows.models import Metadata, WorkflowMetadata, WorkflowTemplateRef

from metaflow_hera.graph.scopes import scopes
from metaflow_hera.metaflow_api.compute import compute_of
from metaflow_hera.metaflow_api.flows import LoadedFlow
from metaflow_hera.translation import parameters, support
from metaflow_hera.translation.compute import image_pull_secrets
from metaflow_hera.translation.dags import Dags
from metaflow_hera.translation.limits import Footprint, footprint
from metaflow_hera.translation.names import Names, is_label_value
from metaflow_hera.translation.pods import RUN_ID, Pods
from metaflow_hera.translation.schedules import argo_schedule
from metaflow_hera.translation.settings import Settings

LABELS = {"app.kubernetes.io/part-of": "metaflow"}


@dataclass(frozen=True)
class Translation:
    """What `create` deploys: the template, and a cron workflow where the flow has a schedule.

    `footprint` is what Argo has to keep of each run.
    """

    template: WorkflowTemplate
    cron: CronWorkflow | None
    footprint: Footprint

    @property
    def objects(self) -> list[WorkflowTemplate | CronWorkflow]:
        """All of it, in the order in which to deploy it."""
        return [self.template, *([self.cron] if self.cron else [])]


def translate(flow: LoadedFlow, settings: Settings) -> Translation:
    """Translate a flow. Raises UnsupportedError for what cannot be translated, or is too large."""
    support.check(flow)
    parameters.check(flow.parameters)
    names = Names()
    pods = Pods(flow, settings, names)
    dags = Dags(pods, names, settings.max_workers)
    scope = scopes(flow.graph)
    entrypoint = dags.entrypoint(scope)
    about = _about(flow, settings)
    labels = {**LABELS, **{name: value for name, value in about.items() if is_label_value(value)}}
    # Only what Argo may look for its own variables in: no text of the user's.
    run_annotations = {**about, "metaflow/run_id": RUN_ID}
    template = WorkflowTemplate(
        name=settings.name,
        namespace=settings.kubernetes_namespace,
        labels={**labels, "app.kubernetes.io/name": "metaflow-flow"},
        annotations={
            **about,
            "metaflow/production_token": settings.token,
            "metaflow/user": "argo-workflows",
            **_optional(flow, settings),
        },
        entrypoint=entrypoint,
        arguments=parameters.workflow_parameters(flow.parameters),
        templates=[*dags.templates, *pods.templates],
        active_deadline_seconds=settings.workflow_timeout,
        priority=settings.workflow_priority,
        image_pull_secrets=image_pull_secrets(compute_of(flow, step.name) for step in flow.graph),
        workflow_metadata=WorkflowMetadata(
            labels={**labels, "app.kubernetes.io/name": "metaflow-run"},
            annotations={**run_annotations, "metaflow/production_token": settings.token},
        ),
        pod_metadata=Metadata(
            labels={**labels, "app.kubernetes.io/name": "metaflow-task"},
            annotations={"metaflow/run_id": RUN_ID},
        ),
    )
    size = footprint(template, scope, lambda step: flow.retries(step.name).total > 0)
    return Translation(template, _cron(flow, settings, labels), size)


def _about(flow: LoadedFlow, settings: Settings) -> dict[str, str]:
    """Whose and what it is: annotations, and labels as well where the value is a legal one."""
    return {
        "metaflow/flow_name": flow.name,
        "metaflow/owner": settings.owner,
        **{f"metaflow/{name}": value for name, value in flow.project.items()},
    }


def _optional(flow: LoadedFlow, settings: Settings) -> dict[str, str]:
    found = {
        parameters.ANNOTATION: parameters.annotation(flow.parameters) if flow.parameters else None,
        "metaflow/tags": json.dumps(list(settings.tags)) if settings.tags else None,
        "metaflow/deployment_timestamp": settings.deployed_at,
        "workflows.argoproj.io/title": settings.title or flow.project.get("project_flow_name", flow.name),
        "workflows.argoproj.io/description": settings.description or flow.doc or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _cron(flow: LoadedFlow, settings: Settings, labels: dict[str, str]) -> CronWorkflow | None:
    if not flow.schedules:
        return None
    expression, zone = flow.schedules[0]
    return CronWorkflow(
        name=settings.name,
        namespace=settings.kubernetes_namespace,
        labels={**labels, "app.kubernetes.io/name": "metaflow-flow"},
        schedules=[argo_schedule(expression)],
        timezone=zone,
        workflow_template_ref=WorkflowTemplateRef(name=settings.name),
    )
