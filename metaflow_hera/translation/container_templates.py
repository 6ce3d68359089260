"""Steps as pods: one container template for all steps whose pods have the same shape."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from hera.workflows import Container, Env, Parameter, RetryStrategy
from hera.workflows.models import Backoff, EnvVar, EnvVarSource, ObjectFieldSelector, ValueFrom

from metaflow_hera.choices.checks import LARGEST
from metaflow_hera.contract import environment, manifest, values
from metaflow_hera.contract.datastores import DATASTORES
from metaflow_hera.graph.steps import FOREACH, SWITCH, Step
from metaflow_hera.metaflow_api.light.configuration import has_other_extensions
from metaflow_hera.metaflow_api.load.compute import Compute, compute_of
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.pod.packaged_settings import Retries
from metaflow_hera.translation import metrics, parameters
from metaflow_hera.translation.argo_tags import input_parameter, workflow_parameter
from metaflow_hera.translation.compute import beside_options, container_fields
from metaflow_hera.translation.events import Events
from metaflow_hera.translation.names import Names
from metaflow_hera.translation.settings import Settings
from metaflow_hera.translation.splits import Splits

OUTPUTS = {FOREACH: manifest.ITEMS, SWITCH: manifest.CHOICE}
OUTPUT_FOLDER = "/tmp/metaflow_hera"
RUN_ID = manifest.run_id("{{workflow.name}}")
STEP = input_parameter(manifest.STEP)
POD_FIELDS = {
    environment.POD_NAMESPACE: "metadata.namespace",
    environment.POD_NAME: "metadata.name",
    environment.POD_ID: "metadata.uid",
    environment.SERVICE_ACCOUNT: "spec.serviceAccountName",
    environment.NODE_IP: "status.hostIP",
}
"""What Metaflow's @kubernetes reads about its pod, as Metaflow's own plugin passes it."""

PARALLEL_FIELDS = {environment.POD_IP: "status.podIP"}
"""Where the other nodes of a @parallel step find the first."""

OF_ONE_POD = (
    *(environment.RUN_ID, environment.ARGO_NAME, environment.STEP_NAME, environment.PATH, environment.RANGE),
    *(environment.RETRIES, environment.OUTPUT, environment.ITERATIONS, environment.MESSAGE),
    *(environment.RUN_TAGS, environment.SCHEDULED_TIME, f"{environment.PARAMETER}*", f"{environment.EVENT}*"),
    *POD_FIELDS,
    *PARALLEL_FIELDS,
)
"""What differs from pod to pod of a flow, and is read only after Metaflow was imported. `*` is any ending."""

OURS = "METAFLOW_HERA_"
"""How the names of this package's own variables begin."""

ALIKE = (
    f"{OURS}*",
    *(name for name in OF_ONE_POD if not name.startswith(OURS)),
    *("METAFLOW_PRODUCTION_TOKEN", "METAFLOW_VERSION", environment.FLOW_NAME, environment.FLOW_FILENAME),
    *(environment.ARGO_TEMPLATE, environment.CODE_URL, environment.LOCAL_ROOT),
)
"""What differs from flow to flow and from version to version as well: read only then too, or read anew then
(`metaflow_api.pod.code_package`). But for ENCODED, which may hold any other."""

START_TIME = 3600
"""Seconds that a pod with a @timeout has in addition, for its image and the code package. The pod itself
keeps the limit; Kubernetes ends a pod that can no longer do so."""
GRACE = 60
"""Seconds more that each task of a pod of several may take to be ended at its @timeout."""


@dataclass(frozen=True)
class Shape:
    """All that makes the pod of one step differ from that of another.

    `compute` and `variables` are JSON text, so that shapes can be compared. `splits` is how many tasks of a
    foreach share a pod: of the one that the step is in, or of the one that it opens.
    """

    kind: str
    loops: bool
    parallel: bool
    retries: Retries
    time_limit: int | None
    python: str
    compute: str
    variables: str
    splits: int

    @property
    def is_range(self) -> bool:
        """Whether the pod runs several tasks of a foreach, and does not open one."""
        return self.splits > 1 and self.kind != FOREACH

    @property
    def title(self) -> str:
        """A name that says what is special about the pod."""
        traits = [
            ("foreach", self.kind == FOREACH),
            ("switch", self.kind == SWITCH and not self.loops),
            ("loop", self.loops),
            ("parallel", self.parallel),
            ("shared", self.is_range),
            ("retry", self.retries.total > 0),
        ]
        return "-".join(["task", *(word for word, holds in traits if holds)])


class ContainerTemplates:
    """The container templates of a flow."""

    def __init__(
        self, flow: LoadedFlow, settings: Settings, names: Names, events: Events | None, splits: Splits
    ) -> None:
        self._flow = flow
        self.splits = splits
        self._settings = settings
        self._events = events
        self._names = names
        self._modules = None if has_other_extensions() else settings.package.modules
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
        compute = beside_options(compute_of(self._flow, step.name), self._settings.choices)
        return Shape(
            # Linear, join and end are the same to a pod.
            kind=step.kind if step.kind in OUTPUTS else "",
            loops=step.loops,
            parallel=step.parallel,
            # How much of it is the step's own code concerns the pod's settings, not its shape.
            retries=Retries(0, retries.total, retries.minutes_between if retries.total else 0),
            # In a loop the pod applies it to each iteration.
            time_limit=None if step.loops else self._flow.time_limit(step.name),
            python=self.python(compute),
            # Without what is said elsewhere: pull secrets are the workflow's.
            compute=replace(compute, executable=None, image_pull_secrets=()).to_json(),
            variables=json.dumps(variables, sort_keys=True, default=str),
            splits=self.splits.of(step.name),
        )

    def _container(self, shape: Shape) -> Container:
        compute = Compute.from_json(shape.compute)
        pod = container_fields(compute)
        outputs = [OUTPUTS[shape.kind]] if shape.kind in OUTPUTS else []
        variables = self._environment(shape, compute)
        if shape.loops:
            outputs.append(manifest.ITERATIONS)
        return Container(
            name=self._names.give(shape.title),
            inputs=[
                Parameter(name=manifest.STEP),
                Parameter(name=manifest.PATH, value=""),
                *([Parameter(name=manifest.RANGE)] if shape.is_range else []),
            ],
            # The default is for tasks that read the output of a step that was skipped.
            outputs=[
                Parameter(name=output, value_from=ValueFrom(path=_output_path(output), default=""))
                for output in outputs
            ]
            or None,
            command=[shape.python],
            args=["-c", bootstrap(self._flow.datastore)],
            env=variables,
            retry_strategy=_retry_strategy(shape),
            active_deadline_seconds=_deadline(shape),
            metrics=metrics.of_step(self._flow, self._settings) if self._settings.choices.metrics else None,
            annotations={
                **pod.pop("annotations"),
                manifest.STEP_NAME: STEP,
                **({manifest.WARM: self._alike(variables)} if self._share_package else {}),
                **({manifest.POD_GROUP: f"{RUN_ID}/{STEP}"} if shape.parallel else {}),
            },
            **pod,
        )

    def python(self, compute: Compute) -> str:
        """The interpreter that a pod starts with."""
        return self._settings.python or compute.executable or "python"

    def common(self, own: Mapping[str, str], user: Mapping[str, Any]) -> list[Env]:
        """The variables of every pod of the flow, with its `own`; all others override those of the `user`."""
        package = self._settings.package
        fixed = {
            **user,
            **self._settings.environment,
            environment.FLOW_NAME: self._flow.name,
            environment.FLOW_FILENAME: self._flow.file.name,
            environment.CODE_METADATA: package.metadata,
            environment.CODE_DATASTORE: self._flow.datastore,
            environment.KUBERNETES_WORKLOAD: "1",
            environment.KUBERNETES_NAMESPACE: self._settings.kubernetes_namespace,
            environment.ARGO_TEMPLATE: self._settings.name,
            environment.ARGO_NAMESPACE: self._settings.kubernetes_namespace,
            environment.MESSAGE: "/dev/termination-log",
            **own,
        }
        by_argo = {
            environment.RUN_ID: RUN_ID,
            environment.ARGO_NAME: "{{workflow.name}}",
            # It ends in the hash of the content, from which the bootstrap sets CODE_SHA.
            environment.CODE_URL: workflow_parameter(manifest.CODE_PARAMETER),
        }
        return [*_variables(fixed), *(Env(name=name, value=value) for name, value in by_argo.items())]

    @property
    def _share_package(self) -> bool:
        """Creating an environment changes what was unpacked: then each pod gets a copy of its own."""
        return self._flow.environment == "local"

    def _alike(self, variables: Sequence[Env | EnvVar]) -> str:
        """Which pods of this machine may be forked from one process: see the embedded Argo's `WARM`.

        Those of all packages with the same modules. Those of one version where the modules are not known, or
        where what others' extensions and hidden variables do is not.
        """
        hidden = any(each.name == environment.ENCODED for each in variables)
        if self._modules is None or hidden:
            return " ".join(OF_ONE_POD)
        return " ".join((self._modules, *ALIKE))

    def _environment(self, shape: Shape, compute: Compute) -> list[Env | EnvVar]:
        choices = self._settings.choices
        fixed = {}
        if choices.tags:
            fixed[environment.TAGS] = json.dumps(list(choices.tags))
        if self._settings.project is not None:
            fixed[environment.PROJECT] = json.dumps(list(self._settings.project))
        if choices.user_namespace is not None:
            fixed[environment.NAMESPACE] = choices.user_namespace
        if not choices.auto_emit_argo_events:
            fixed[environment.NO_EVENTS] = "1"
        if not self._share_package:
            fixed[environment.OWN_PACKAGE] = "1"
        if shape.kind in OUTPUTS:
            fixed[environment.OUTPUT] = _output_path(OUTPUTS[shape.kind])
        if shape.loops:
            fixed[environment.ITERATIONS] = _output_path(manifest.ITERATIONS)
        if shape.splits > 1 and not shape.is_range:
            fixed[environment.SPLITS_PER_POD] = str(shape.splits)
        if compute.tmpfs_path:
            fixed[environment.TEMPDIR if compute.tmpfs_tempdir else environment.TMPFS] = compute.tmpfs_path
        by_argo = {
            environment.STEP_NAME: STEP,
            environment.PATH: input_parameter(manifest.PATH),
        }
        if shape.is_range:
            by_argo[environment.RANGE] = input_parameter(manifest.RANGE)
        if shape.retries.total or shape.is_range:
            by_argo[environment.RETRIES] = "{{retries}}"
        return [
            *self.common(fixed, json.loads(shape.variables)),
            *(Env(name=name, value=value) for name, value in by_argo.items()),
            *parameters.environment(self._flow, self._events),
            *(
                EnvVar(name=name, value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path=path)))
                for name, path in {**POD_FIELDS, **(PARALLEL_FIELDS if shape.parallel else {})}.items()
            ),
        ]


@cache
def bootstrap(datastore: str) -> str:
    """The script that a pod starts with: the bootstrap without comments, types and other datastores."""
    source = resources.files("metaflow_hera.runtime").joinpath("bootstrap.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    others = {f"fetch_{each}" for each in DATASTORES if each != datastore}
    if datastore == "local":  # nothing has to be installed
        others |= {"lacking", "need"}
    tree.body = [node for node in tree.body if getattr(node, "name", None) not in others]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    # Each template has it, and Argo has little room: one space does for a level.
    return re.sub(r"^(?: {4})+", lambda found: " " * (len(found[0]) // 4), ast.unparse(tree), flags=re.M)


def _variables(fixed: Mapping[str, str]) -> list[Env]:
    """Variables whose values Argo and Kubernetes pass on unchanged, and all others in one, as base64."""
    plain = {name: value for name, value in fixed.items() if values.is_plain(str(value))}
    others = {name: str(value) for name, value in fixed.items() if name not in plain}
    if others:
        encoded = base64.b64encode(json.dumps(others).encode()).decode()
        plain[environment.ENCODED] = encoded
    return [Env(name=name, value=str(value)) for name, value in plain.items()]


def _output_path(name: str) -> str:
    return f"{OUTPUT_FOLDER}/{name}"


def _deadline(shape: Shape) -> str | None:
    """The seconds after which Kubernetes ends a pod with a @timeout, which holds for each task."""
    if not shape.time_limit:
        return None
    tasks = shape.splits * (shape.time_limit + GRACE) if shape.is_range else shape.time_limit
    return str(min(LARGEST, tasks + START_TIME))


def _retry_of_range(shape: Shape) -> RetryStrategy:
    """A pod of several tasks is started again as long as one of them has an attempt left.

    The pod itself counts the attempts of each task, and says by its exit code whether one is left. One that
    was killed or lost cannot say; one that does not come to its tasks is started as often as a task.
    """
    again = [
        *(f"lastRetry.exitCode == '{code}'" for code in (manifest.TASKS_LEFT, *manifest.KILLED)),
        # Argo knows of no exit code. A pod that could not even be created was there for no time.
        "(lastRetry.exitCode == '-1' && asFloat(lastRetry.duration) >= 1)",
        f"asInt(retries) < {shape.retries.total}",
    ]
    return RetryStrategy(
        # Each pod that is lost takes at least one attempt of one task.
        limit=str(min(LARGEST, shape.splits * (shape.retries.total + 1) - 1)),
        retry_policy="Always",
        backoff=_backoff(shape.retries),
        expression=f"lastRetry.exitCode != '{manifest.OUT_OF_ATTEMPTS}' && ({' || '.join(again)})",
    )


def _backoff(retries: Retries) -> Backoff | None:
    return Backoff(duration=f"{retries.minutes_between}m") if retries.minutes_between else None


def _retry_strategy(shape: Shape) -> RetryStrategy | None:
    if shape.is_range:
        return _retry_of_range(shape)
    retries = shape.retries
    if not retries.total:
        return None
    return RetryStrategy(
        limit=str(retries.total),
        retry_policy="Always",
        backoff=_backoff(retries),
        # Iterations of a loop are retried in the pod: Argo retries only a lost pod.
        expression=f"lastRetry.exitCode != '{manifest.OUT_OF_ATTEMPTS}'" if shape.loops else None,
    )
