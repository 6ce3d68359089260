"""The whole deployment of a flow as Hera objects: the WorkflowTemplate and what belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hera.workflows import CronWorkflow, WorkflowTemplate
from hera.workflows.models import Metadata, WorkflowEventBinding, WorkflowMetadata

from metaflow_hera.choices.deployment import BINDING
from metaflow_hera.contract import environment, manifest
from metaflow_hera.contract.kubernetes import is_label_value
from metaflow_hera.errors import OptionError
from metaflow_hera.graph.scopes import scopes
from metaflow_hera.metaflow_api.load.compute import compute_of
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation import bindings, limits, metrics, parameters, schedules, support
from metaflow_hera.translation.compute import image_pull_secrets
from metaflow_hera.translation.container_templates import RUN_ID, ContainerTemplates
from metaflow_hera.translation.dags import Dags
from metaflow_hera.translation.events import Events, events
from metaflow_hera.translation.exits import exit_handler
from metaflow_hera.translation.limits import Footprint, footprint
from metaflow_hera.translation.names import Names
from metaflow_hera.translation.settings import Settings
from metaflow_hera.translation.spec_fields import annotations_of, labels_of, spec_fields, user_keys
from metaflow_hera.translation.splits import Splits, splits
from metaflow_hera.translation.steps_annotation import steps_annotation

if TYPE_CHECKING:
    from hera.events.models import Sensor

Companion: TypeAlias = "CronWorkflow | Sensor | WorkflowEventBinding"


@dataclass(frozen=True)
class Translation:
    """What `create` deploys: the template, and what starts runs of it.

    `footprint` is what Argo has to keep of each run, `splits` says which tasks share a pod.
    """

    template: WorkflowTemplate
    crons: Sequence[CronWorkflow]
    sensor: Sensor | None
    bindings: Sequence[WorkflowEventBinding]
    footprint: Footprint
    splits: Splits

    @property
    def companions(self) -> list[Companion]:
        """All but the template."""
        return [*self.crons, *([self.sensor] if self.sensor else []), *self.bindings]

    @property
    def objects(self) -> list[WorkflowTemplate | Companion]:
        """All of it, in the order in which to deploy it."""
        return [self.template, *self.companions]

    def warnings(self) -> Iterator[str]:
        """What the flow's author should know before a run."""
        yield from self.footprint.warnings()
        yield from self.splits.notes()


def translate(flow: LoadedFlow, settings: Settings) -> Translation:
    """Translate a flow. Raises UnsupportedError for what cannot be translated, or is too large."""
    support.check(flow)
    parameters.check(flow.parameters)
    made = events(flow)
    names = Names()
    shared = splits(flow, settings.choices)
    containers = ContainerTemplates(flow, settings, names, made, shared)
    dags = Dags(containers, names, settings.choices.max_workers)
    scope = scopes(flow.graph)
    entrypoint = dags.entrypoint(scope)
    at_exit = exit_handler(flow, containers, names, settings.choices)
    about = _about(flow, settings)
    labels = {
        **labels_of(settings.choices),
        manifest.PART_OF: manifest.METAFLOW,
        **{name: value for name, value in about.items() if is_label_value(value)},
    }
    # Argo's controller and server see nothing of another instance id. What starts from an object has its own.
    instance = {manifest.INSTANCE: settings.instance} if settings.instance else {}
    of_objects = {**labels, manifest.KIND: manifest.A_FLOW, **instance}
    notes = {
        **annotations_of(settings.choices),
        **user_keys(settings.choices),
        **about,
        manifest.PRODUCTION_TOKEN: settings.token,
    }
    of_template = {**notes, manifest.USER: "argo-workflows", **_optional(flow, settings, made)}
    limits.check_annotations(of_template)
    template = WorkflowTemplate(
        name=settings.name,
        namespace=settings.kubernetes_namespace,
        labels=of_objects,
        annotations=of_template,
        entrypoint=entrypoint,
        on_exit=at_exit[-1].name if at_exit else None,
        arguments=parameters.workflow_parameters(flow, made, settings.package),
        templates=[*dags.templates, *containers.templates, *at_exit],
        metrics=metrics.of_run(flow, settings) if settings.choices.metrics else None,
        image_pull_secrets=image_pull_secrets(
            (compute_of(flow, step.name) for step in flow.graph), settings.choices.image_pull_secrets
        ),
        # Only texts in which Argo may look for its own variables: none of the user's.
        workflow_metadata=WorkflowMetadata(
            labels={**labels, manifest.KIND: manifest.A_RUN, manifest.TEMPLATE_LABEL: settings.name},
            annotations=limits.of_runs({**notes, manifest.RUN_ID: RUN_ID}, steps_annotation(flow.graph)),
        ),
        pod_metadata=Metadata(
            labels={**labels, manifest.KIND: manifest.A_TASK},
            annotations={
                **annotations_of(settings.choices),
                manifest.RUN_ID: RUN_ID,
                manifest.RESULTS: environment.RESULTS,
            },
        ),
        **spec_fields(settings.choices),
    )
    metadata = Metadata(labels=of_objects, annotations=notes)
    size = footprint(template, scope, lambda step: flow.retries(step.name).total > 0, shared)
    return Translation(
        template,
        crons=schedules.cron_workflows(flow, settings, metadata),
        **_started_by_events(flow, settings, made, metadata),
        footprint=size,
        splits=shared,
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
    """The flow, its owner and project: annotations, and labels as well where the value is valid.

    Raises OptionError for the name of a user that Argo would change.
    """
    if "{{" in settings.owner:
        raise OptionError(
            f"The name of the user, {settings.owner}, is part of each run: "
            "Argo would read {{ as one of its variables. Set METAFLOW_USER to another name."
        )
    return {
        manifest.FLOW_NAME: flow.name,
        manifest.OWNER: settings.owner,
        **{manifest.METAFLOW_PREFIX + name: value for name, value in flow.project.items()},
    }


def _optional(flow: LoadedFlow, settings: Settings, made: Events | None) -> Mapping[str, str]:
    choices = settings.choices
    found = {
        manifest.PARAMETERS: parameters.annotation(flow.parameters) if flow.parameters else None,
        manifest.TAGS: json.dumps(list(choices.tags)) if choices.tags else None,
        manifest.TITLE: choices.workflow_title or flow.project.get("project_flow_name", flow.name),
        manifest.DESCRIPTION: choices.workflow_description or flow.doc or None,
    }
    if made is not None:
        found[manifest.TRIGGERS] = json.dumps(
            [{"name": each.trigger.name, "type": each.trigger.kind} for each in made.dependencies]
        )
        if settings.events is not None and choices.events != BINDING:
            # By these the next version, and `delete`, find the sensor, as with Metaflow's own plugin.
            found[manifest.SENSOR_NAME] = manifest.sensor_name(settings.name)
            found[manifest.SENSOR_NAMESPACE] = settings.events.namespace
    return {name: value for name, value in found.items() if value is not None}
