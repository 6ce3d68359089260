"""The whole deployment of a flow as Hera objects: the WorkflowTemplate and what belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hera.workflows import CronWorkflow, WorkflowTemplate
from hera.workflows.models import Metadata, WorkflowEventBinding, WorkflowMetadata

from metaflow_hera.choices.choices import BINDING
from metaflow_hera.contract.values import TEMPLATE_LABEL, sensor_name
from metaflow_hera.graph.scopes import scopes
from metaflow_hera.metaflow_api.load.compute import compute_of
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation import bindings, parameters, schedules, support
from metaflow_hera.translation.compute import image_pull_secrets
from metaflow_hera.translation.dags import Dags
from metaflow_hera.translation.events import Events, events
from metaflow_hera.translation.exits import exit_handler
from metaflow_hera.translation.limits import Footprint, footprint
from metaflow_hera.translation.names import Names, is_label_value
from metaflow_hera.translation.operation import annotations_of, labels_of, operation_fields, user_keys
from metaflow_hera.translation.pods import RUN_ID, Pods
from metaflow_hera.translation.settings import Settings

if TYPE_CHECKING:
    from hera.events.models import Sensor

LABELS = {"app.kubernetes.io/part-of": "metaflow"}

Companion: TypeAlias = "CronWorkflow | Sensor | WorkflowEventBinding"


@dataclass(frozen=True)
class Translation:
    """What `create` deploys: the template, and what starts runs of it.

    `footprint` is what Argo has to keep of each run.
    """

    template: WorkflowTemplate
    crons: Sequence[CronWorkflow]
    sensor: Sensor | None
    bindings: Sequence[WorkflowEventBinding]
    footprint: Footprint

    @property
    def companions(self) -> list[Companion]:
        """All but the template."""
        return [*self.crons, *([self.sensor] if self.sensor else []), *self.bindings]

    @property
    def objects(self) -> list[WorkflowTemplate | Companion]:
        """All of it, in the order in which to deploy it."""
        return [self.template, *self.companions]


def translate(flow: LoadedFlow, settings: Settings) -> Translation:
    """Translate a flow. Raises UnsupportedError for what cannot be translated, or is too large."""
    support.check(flow)
    parameters.check(flow.parameters)
    made = events(flow)
    names = Names()
    pods = Pods(flow, settings, names, made)
    dags = Dags(pods, names, settings.choices.max_workers)
    scope = scopes(flow.graph)
    entrypoint = dags.entrypoint(scope)
    at_exit = exit_handler(flow, pods, names, settings.choices)
    about = _about(flow, settings)
    labels = {
        **labels_of(settings.choices),
        **LABELS,
        **{name: value for name, value in about.items() if is_label_value(value)},
    }
    notes = {
        **annotations_of(settings.choices),
        **user_keys(settings.choices),
        **about,
        "metaflow/production_token": settings.token,
    }
    template = WorkflowTemplate(
        name=settings.name,
        namespace=settings.kubernetes_namespace,
        labels={**labels, "app.kubernetes.io/name": "metaflow-flow"},
        annotations={**notes, "metaflow/user": "argo-workflows", **_optional(flow, settings, made)},
        entrypoint=entrypoint,
        on_exit=at_exit[-1].name if at_exit else None,
        arguments=parameters.workflow_parameters(flow, made, settings.package),
        templates=[*dags.templates, *pods.templates, *at_exit],
        image_pull_secrets=image_pull_secrets(
            (compute_of(flow, step.name) for step in flow.graph), settings.choices.image_pull_secrets
        ),
        # Only what Argo may look for its own variables in: no text of the user's.
        workflow_metadata=WorkflowMetadata(
            labels={**labels, "app.kubernetes.io/name": "metaflow-run", TEMPLATE_LABEL: settings.name},
            annotations={**notes, "metaflow/run_id": RUN_ID},
        ),
        pod_metadata=Metadata(
            labels={**labels, "app.kubernetes.io/name": "metaflow-task"},
            annotations={**annotations_of(settings.choices), "metaflow/run_id": RUN_ID},
        ),
        **operation_fields(settings.choices),
    )
    metadata = Metadata(labels={**labels, "app.kubernetes.io/name": "metaflow-flow"}, annotations=notes)
    size = footprint(template, scope, lambda step: flow.retries(step.name).total > 0)
    return Translation(
        template,
        crons=schedules.cron_workflows(flow, settings, metadata),
        **_started_by_events(flow, settings, made, metadata),
        footprint=size,
    )


def _started_by_events(
    flow: LoadedFlow, settings: Settings, made: Events | None, metadata: Metadata
) -> dict[str, Any]:
    if made is None:
        return {"sensor": None, "bindings": []}
    if settings.choices.events == BINDING or settings.events is None:
        return {"sensor": None, "bindings": bindings.bindings(flow, settings, made, metadata)}
    # Hera's models of Argo Events take as long to import as all of its others.
    from metaflow_hera.translation import sensors

    return {"sensor": sensors.sensor(flow, settings, settings.events, made, metadata), "bindings": []}


def _about(flow: LoadedFlow, settings: Settings) -> dict[str, str]:
    """Whose and what it is: annotations, and labels as well where the value is a legal one."""
    return {
        "metaflow/flow_name": flow.name,
        "metaflow/owner": settings.owner,
        **{f"metaflow/{name}": value for name, value in flow.project.items()},
    }


def _optional(flow: LoadedFlow, settings: Settings, made: Events | None) -> Mapping[str, str]:
    choices = settings.choices
    found = {
        parameters.ANNOTATION: parameters.annotation(flow.parameters) if flow.parameters else None,
        "metaflow/tags": json.dumps(list(choices.tags)) if choices.tags else None,
        "metaflow/deployment_timestamp": settings.deployed_at,
        "workflows.argoproj.io/title": choices.workflow_title
        or flow.project.get("project_flow_name", flow.name),
        "workflows.argoproj.io/description": choices.workflow_description or flow.doc or None,
    }
    if made is not None:
        found["metaflow/triggers"] = json.dumps(
            [{"name": each.trigger.name, "type": each.trigger.kind} for each in made.dependencies]
        )
        if settings.events is not None and choices.events != BINDING:
            # Where the next version, or `delete`, finds what is to go; as Metaflow's own plugin has it.
            found["metaflow/sensor_name"] = sensor_name(settings.name)
            found["metaflow/sensor_namespace"] = settings.events.namespace
    return {name: value for name, value in found.items() if value is not None}
