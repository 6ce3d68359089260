"""What starts a flow on events, for clusters without Argo Events: WorkflowEventBindings of Argo Workflows.

Argo's server evaluates each of them for each event that is posted to /api/v1/events. It remembers no events,
so it cannot start a flow that needs several.
https://argo-workflows.readthedocs.io/en/latest/events/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from hera.workflows import models
from hera.workflows.models import Metadata, WorkflowEventBinding

from metaflow_hera.contract.values import ENCODED, encode
from metaflow_hera.errors import UnsupportedError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation.events import Dependency, Events
from metaflow_hera.translation.settings import Settings


def bindings(
    flow: LoadedFlow, settings: Settings, made: Events, metadata: Metadata
) -> Sequence[WorkflowEventBinding]:
    """The bindings of a flow, one for each event. Raises UnsupportedError if a run needs more than one."""
    if made.needs_all:
        raise UnsupportedError(
            f"{flow.name} starts when several events have happened, and a workflow event binding "
            "knows only one at a time: use a sensor (--events sensor), "
            "or let any one of the events start it with options={'when': 'any'}."
        )
    if made.resets:
        raise UnsupportedError(
            "A workflow event binding remembers no events, so reset_at has nothing to reset: "
            "remove it, or use a sensor (--events sensor)."
        )
    defaults = {parameter.name: encode(parameter.default) for parameter in flow.parameters}
    return [_binding(settings, dependency, defaults, metadata) for dependency in made.dependencies]


def _binding(
    settings: Settings, dependency: Dependency, defaults: Mapping[str, str], metadata: Metadata
) -> WorkflowEventBinding:
    values = {name: _value(key, defaults[name]) for name, key in dependency.parameters.items()}
    values[dependency.name] = _about()
    return WorkflowEventBinding(
        api_version="argoproj.io/v1alpha1",
        kind="WorkflowEventBinding",
        metadata=models.ObjectMeta(
            name=f"{settings.name}-{dependency.name.rpartition('_')[2]}",
            namespace=settings.kubernetes_namespace,
            labels=metadata.labels,
            annotations=metadata.annotations,
        ),
        spec=models.WorkflowEventBindingSpec(
            event=models.Event(selector=_selector(dependency)),
            submit=models.Submit(
                workflow_template_ref=models.WorkflowTemplateRef(name=settings.name),
                arguments=models.Arguments(
                    parameters=[
                        models.Parameter(name=name, value_from=models.ValueFrom(event=expression))
                        for name, expression in values.items()
                    ]
                ),
            ),
        ),
    )


def _selector(dependency: Dependency) -> str:
    """The condition in Argo's expression language; `payload` is the body, which holds the event's payload."""
    tests = [f"payload.name == {_text(dependency.trigger.name)}"]
    tests += [f"{_key(key)} == {_text(value)}" for key, value in dependency.trigger.filters.items()]
    tests += [f"{_text(key)} in payload.payload && {_key(key)} != nil" for key in dependency.required]
    return " && ".join(tests)


def _value(key: str, default: str) -> str:
    value = _key(key)
    text = f'type({value}) == "string" ? {value} : toJSON({value})'
    given = f"{_text(key)} in payload.payload && {value} != nil"
    return f"({given}) ? ({_text(ENCODED)} + toBase64({text})) : {_text(default)}"


def _about() -> str:
    parts = ", ".join(f"{_text(key)}: {_key(key)}" for key in ("name", "id", "timestamp", "pathspec"))
    return f"{_text(ENCODED)} + toBase64(toJSON({{{parts}}}))"


def _key(key: str) -> str:
    return f"payload.payload[{_text(key)}]"


def _text(text: str) -> str:
    return json.dumps(text)
