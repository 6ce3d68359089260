"""What starts a flow on events, as a Sensor of Argo Events that creates a workflow of the flow's template.

An event is what Metaflow's ArgoEvent publishes: `{"name": ..., "payload": {"name": ..., ...}}` in the
body of a webhook.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hera.events.models import Sensor
from hera.workflows.models import Metadata

from metaflow_hera.contract import manifest
from metaflow_hera.contract.values import ENCODED, NOT_GIVEN, encode
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation.events import Dependency, Events
from metaflow_hera.translation.settings import EventsPlace, Settings
from metaflow_hera.translation.yaml_text import to_yaml

RESOURCES = {"cpu": "100m", "memory": "250Mi"}
"""What the pod of a sensor gets; as with Metaflow's own plugin."""
TRIES = 5


def sensor(
    flow: LoadedFlow, settings: Settings, place: EventsPlace, made: Events, metadata: Metadata
) -> Sensor:
    """The sensor of a flow."""
    name = manifest.sensor_name(settings.name)
    trigger: dict[str, Any] = {
        "name": name,
        "k8s": {
            "operation": "create",
            "source": {"inline": _workflow(flow, settings, made)},
            "parameters": [
                parameter
                for dependency in made.dependencies
                for parameter in _parameters(dependency, _defaults(flow))
            ],
        },
    }
    if made.condition is not None:
        trigger["conditions"] = made.condition
    if made.resets:
        trigger["conditionsReset"] = [
            {"byTime": {"cron": cron, "timezone": zone}} for cron, zone in made.resets
        ]
    spec = {
        "eventBusName": place.bus,
        "replicas": 1,
        "template": {
            "serviceAccountName": place.service_account or None,
            "metadata": {"labels": metadata.labels},
            "container": {"name": "main", "resources": {"requests": RESOURCES, "limits": RESOURCES}},
        },
        "dependencies": [_dependency(dependency, place) for dependency in made.dependencies],
        "triggers": [{"template": trigger, "retryStrategy": {"steps": TRIES}}],
    }
    return Sensor.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": place.namespace,
                "labels": {**(metadata.labels or {}), manifest.KIND: manifest.A_SENSOR},
                "annotations": metadata.annotations,
            },
            "spec": spec,
        }
    )


def _defaults(flow: LoadedFlow) -> Mapping[str, str]:
    return {parameter.name: encode(parameter.default) for parameter in flow.parameters}


def _workflow(flow: LoadedFlow, settings: Settings, made: Events) -> str:
    """The workflow to create, as YAML text; the events' values are put into its parameters."""
    defaults = _defaults(flow)
    mapped = {name: defaults[name] for dependency in made.dependencies for name in dependency.parameters}
    values = {**mapped, **{dependency.name: NOT_GIVEN for dependency in made.dependencies}}
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{settings.name}-",
            "namespace": settings.kubernetes_namespace,
            **({"labels": {manifest.INSTANCE: settings.instance}} if settings.instance else {}),
            "annotations": {
                manifest.TRIGGERED_BY: json.dumps(
                    [{"name": each.trigger.name, "type": each.trigger.kind} for each in made.dependencies]
                )
            },
        },
        "spec": {
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in values.items()]},
            "workflowTemplateRef": {"name": settings.name},
        },
    }
    return to_yaml(workflow)


def _dependency(dependency: Dependency, place: EventsPlace) -> dict[str, Any]:
    equal = {"name": dependency.trigger.name, **dependency.trigger.filters}
    # A filter's value is a regular expression, which may match any part of the text.
    wanted = {key: f"^{re.escape(value)}$" for key, value in equal.items()}
    # A required key must have a value that is not null.
    wanted |= {key: "(?s)." for key in dependency.required if key not in wanted}
    filters = {
        "data": [
            {"path": f"body.payload.{key}", "type": "string", "value": [pattern]}
            for key, pattern in wanted.items()
        ]
    }
    return {
        "name": dependency.name,
        "eventSourceName": place.source,
        "eventName": place.event,
        "filters": filters,
    }


def _parameters(dependency: Dependency, defaults: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a run gets from an event: a value for each Parameter, and a description of the event itself.

    All of it travels as base64: a payload may hold any text, and Argo would look for its variables in it.
    """
    found = [
        _parameter(name, dependency, _value_template(key, defaults[name]))
        for name, key in dependency.parameters.items()
    ]
    about = '{{ pick .Input.body.payload "name" "id" "timestamp" "pathspec" | toRawJson | b64enc }}'
    return [*found, _parameter(dependency.name, dependency, f"{ENCODED}{about}")]


def _parameter(name: str, dependency: Dependency, template: str) -> dict[str, Any]:
    return {
        "src": {"dependencyName": dependency.name, "dataTemplate": template},
        "dest": f'spec.arguments.parameters.#(name=="{name}").value',
    }


def _value_template(key: str, default: str) -> str:
    """A Go template with the value of a key, as text if it is text and as JSON otherwise, or the default.

    The default is encoded like all values, so it has no braces that the template would read as its own.
    """
    value = f'(get .Input.body.payload "{key}")'
    absent = f'or (not (hasKey .Input.body.payload "{key}")) (kindIs "invalid" {value})'
    text = f'{{{{ if kindIs "string" {value} }}}}{{{{ {value} | b64enc }}}}'
    other = f"{{{{ else }}}}{{{{ {value} | toRawJson | b64enc }}}}{{{{ end }}}}"
    return f"{{{{ if {absent} }}}}{default}{{{{ else }}}}{ENCODED}{text}{other}{{{{ end }}}}"
