"""Steps as pods: one container template for all steps whose pods have the same shape."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from hera.workflows import Container, Env, Parameter, RetryStrategy
from hera.workflows.models import Backoff, EnvVar, EnvVarSource, ObjectFieldSelector, ValueFrom

from metaflow_hera.contract import values
from metaflow_hera.graph.steps import FOREACH, SWITCH, Step
from metaflow_hera.graph.tasks import OUT_OF_ATTEMPTS
from metaflow_hera.metaflow_api.decorators.kubernetes import TMPFS_ENV
from metaflow_hera.metaflow_api.load.compute import Compute, compute_of
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.pod.settings import Retries
from metaflow_hera.translation import parameters
from metaflow_hera.translation.compute import container_fields
from metaflow_hera.translation.events import Events
from metaflow_hera.translation.names import Names
from metaflow_hera.translation.settings import Settings

ITEMS = "items"
"""The output of a foreach step: the list that Argo fans out over."""
CHOICE = "next"
"""The output of a switch step: the step it chose."""
OUTPUTS = {FOREACH: ITEMS, SWITCH: CHOICE}
OUTPUT_FOLDER = "/tmp/metaflow_hera"
RUN_ID = "argo-{{workflow.name}}"
POD_FIELDS = {
    "METAFLOW_KUBERNETES_POD_NAMESPACE": "metadata.namespace",
    "METAFLOW_KUBERNETES_POD_NAME": "metadata.name",
    "METAFLOW_KUBERNETES_POD_ID": "metadata.uid",
    "METAFLOW_KUBERNETES_SERVICE_ACCOUNT_NAME": "spec.serviceAccountName",
    "METAFLOW_KUBERNETES_NODE_IP": "status.hostIP",
}
"""What Metaflow's @kubernetes reads of its pod, as Metaflow's own plugin hands it over."""

GANG_FIELDS = {"METAFLOW_HERA_POD_IP": "status.podIP"}
"""Where the other nodes of a gang find the first."""
GANG = "scheduling.x-k8s.io/pod-group"
"""The annotation that pods have in common which only make sense together. The name is that of the label of
Kubernetes' coscheduling plugin, whose values are too short for what is needed here."""
START_TIME = 3600
"""Seconds that a pod with a @timeout has beside it, for its image and the code package. The limit itself is
kept in the pod; Kubernetes ends one in which nothing else works any more."""


@dataclass(frozen=True)
class Shape:
    """All that makes the pod of one step differ from that of another.

    `compute` and `variables` are JSON text, so that shapes can be compared.
    """

    kind: str
    loops: bool
    parallel: bool
    retries: Retries
    time_limit: int | None
    python: str
    compute: str
    variables: str

    @property
    def title(self) -> str:
        """A name that tells what is special about the pod."""
        traits = [
            ("foreach", self.kind == FOREACH),
            ("switch", self.kind == SWITCH and not self.loops),
            ("loop", self.loops),
            ("parallel", self.parallel),
            ("retry", self.retries.total > 0),
        ]
        return "-".join(["task", *(word for word, holds in traits if holds)])


class Pods:
    """The container templates of a flow."""

    def __init__(self, flow: LoadedFlow, settings: Settings, names: Names, events: Events | None) -> None:
        self._flow = flow
        self._settings = settings
        self._events = events
        self._names = names
        self._templates: dict[Shape, Container] = {}

    @property
    def templates(self) -> list[Container]:
        """The templates so far, in the order in which they were first asked for."""
        return list(self._templates.values())

    def template(self, step: Step) -> str:
        """The name of the template for a step."""
        shape = self._shape(step)
        if shape not in self._templates:
            self._templates[shape] = self._container(shape)
        return str(self._templates[shape].name)

    def _shape(self, step: Step) -> Shape:
        retries = self._flow.retries(step.name)
        variables: Mapping[str, Any] = next(
            (d.attributes["vars"] for d in self._flow.step_decorators(step.name) if d.name == "environment"),
            {},
        )
        compute = compute_of(self._flow, step.name)
        return Shape(
            # Linear, join, end: no difference to a pod.
            kind=step.kind if step.kind in OUTPUTS else "",
            loops=step.loops,
            parallel=step.parallel,
            # How much of it is the step's own code concerns the pod's settings, not its shape.
            retries=Retries(0, retries.total, retries.minutes_between if retries.total else 0),
            # The turns of a loop have it each for itself, in the pod.
            time_limit=None if step.loops else self._flow.time_limit(step.name),
            python=self.python(compute),
            # Without what is said elsewhere: pull secrets are the workflow's.
            compute=replace(compute, executable=None, image_pull_secrets=()).to_json(),
            variables=json.dumps(variables, sort_keys=True, default=str),
        )

    def _container(self, shape: Shape) -> Container:
        compute = Compute.from_json(shape.compute)
        pod = container_fields(compute)
        output = OUTPUTS.get(shape.kind)
        return Container(
            name=self._names.give(shape.title),
            inputs=[Parameter(name="step"), Parameter(name="path", value="")],
            # The default is for those who read it of a step that the run passed by.
            outputs=[Parameter(name=output, value_from=ValueFrom(path=_output_path(output), default=""))]
            if output
            else None,
            command=[shape.python],
            args=["-c", bootstrap()],
            env=self._environment(shape, compute),
            retry_strategy=_retry_strategy(shape),
            active_deadline_seconds=str(shape.time_limit + START_TIME) if shape.time_limit else None,
            annotations={
                **pod.pop("annotations"),
                "metaflow/step_name": "{{inputs.parameters.step}}",
                **({GANG: RUN_ID + "/{{inputs.parameters.step}}"} if shape.parallel else {}),
            },
            **pod,
        )

    def python(self, compute: Compute) -> str:
        """The interpreter that a pod starts with."""
        return self._settings.python or compute.executable or "python"

    def common(self, own: Mapping[str, str], user: Mapping[str, Any]) -> list[Env]:
        """The variables of every pod of the flow, with its `own`; those of the `user` go after all others."""
        package = self._settings.package
        fixed = {
            **user,
            **self._settings.environment,
            "METAFLOW_FLOW_NAME": self._flow.name,
            "METAFLOW_FLOW_FILENAME": self._flow.file.name,
            "METAFLOW_CODE_METADATA": package.metadata,
            "METAFLOW_CODE_DS": self._flow.datastore,
            "METAFLOW_KUBERNETES_WORKLOAD": "1",
            "METAFLOW_KUBERNETES_NAMESPACE": self._settings.kubernetes_namespace,
            "ARGO_WORKFLOW_TEMPLATE": self._settings.name,
            "ARGO_WORKFLOW_NAMESPACE": self._settings.kubernetes_namespace,
            "METAFLOW_HERA_MESSAGE": "/dev/termination-log",
            **own,
        }
        by_argo = {
            "METAFLOW_RUN_ID": RUN_ID,
            "ARGO_WORKFLOW_NAME": "{{workflow.name}}",
            # The hash of its content, METAFLOW_CODE_SHA, is the end of it: the bootstrap sets that.
            "METAFLOW_CODE_URL": "{{workflow.parameters." + values.CODE_PARAMETER + "}}",
        }
        return [*_variables(fixed), *(Env(name=name, value=value) for name, value in by_argo.items())]

    def _environment(self, shape: Shape, compute: Compute) -> list[Env | EnvVar]:
        choices = self._settings.choices
        fixed = {}
        if choices.tags:
            fixed["METAFLOW_HERA_TAGS"] = json.dumps(list(choices.tags))
        if choices.user_namespace is not None:
            fixed["METAFLOW_HERA_NAMESPACE"] = choices.user_namespace
        if not choices.auto_emit_argo_events:
            fixed["METAFLOW_HERA_NO_EVENTS"] = "1"
        if self._flow.environment != "local":
            # Making an environment changes what was unpacked: it is not to be shared.
            fixed["METAFLOW_HERA_OWN_PACKAGE"] = "1"
        if shape.kind in OUTPUTS:
            fixed["METAFLOW_HERA_OUTPUT"] = _output_path(OUTPUTS[shape.kind])
        if compute.tmpfs_path:
            fixed["METAFLOW_TEMPDIR" if compute.tmpfs_tempdir else TMPFS_ENV] = compute.tmpfs_path
        by_argo = {
            "METAFLOW_STEP_NAME": "{{inputs.parameters.step}}",
            "METAFLOW_HERA_PATH": "{{inputs.parameters.path}}",
        }
        if shape.retries.total:
            by_argo["METAFLOW_HERA_RETRIES"] = "{{retries}}"
        return [
            *self.common(fixed, json.loads(shape.variables)),
            *(Env(name=name, value=value) for name, value in by_argo.items()),
            *parameters.environment(self._flow, self._events),
            *(
                EnvVar(name=name, value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path=path)))
                for name, path in {**POD_FIELDS, **(GANG_FIELDS if shape.parallel else {})}.items()
            ),
        ]


@cache
def bootstrap() -> str:
    """The script that a pod starts with: the runtime's bootstrap without its comments and types."""
    source = resources.files("metaflow_hera.runtime").joinpath("bootstrap.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


def _variables(fixed: Mapping[str, str]) -> list[Env]:
    """Variables whose values Argo and Kubernetes hand on as they are, and the others as one in base64."""
    plain = {name: value for name, value in fixed.items() if values.is_plain(str(value))}
    others = {name: str(value) for name, value in fixed.items() if name not in plain}
    if others:
        encoded = base64.b64encode(json.dumps(others).encode()).decode()
        plain["METAFLOW_HERA_ENCODED"] = encoded
    return [Env(name=name, value=str(value)) for name, value in plain.items()]


def _output_path(name: str) -> str:
    return f"{OUTPUT_FOLDER}/{name}"


def _retry_strategy(shape: Shape) -> RetryStrategy | None:
    retries = shape.retries
    if not retries.total:
        return None
    backoff = Backoff(duration=f"{retries.minutes_between}m") if retries.minutes_between else None
    return RetryStrategy(
        limit=str(retries.total),
        retry_policy="Always",
        backoff=backoff,
        # The turns of a loop have their attempts in the pod: Argo starts one again that was lost.
        expression=f"lastRetry.exitCode != '{OUT_OF_ATTEMPTS}'" if shape.loops else None,
    )
