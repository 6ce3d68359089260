"""A flow as Metaflow's command line would load it, and the plain data that the translation reads."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from metaflow import JSONType, current
from metaflow.decorators import StepDecorator
from metaflow.includefile import FilePathClass
from metaflow.parameters import DelayedEvaluationParameter, deploy_time_eval, flow_context
from metaflow.plugins.parallel_decorator import ParallelDecorator
from metaflow.user_configs.config_options import ConfigInput

from metaflow_hera.contract import environment
from metaflow_hera.errors import FlowError
from metaflow_hera.graph.steps import Graph, Step
from metaflow_hera.metaflow_api.decorators.internal import first_and_last
from metaflow_hera.metaflow_api.decorators.kubernetes import KubernetesDecorator
from metaflow_hera.metaflow_api.light.scripts import absent
from metaflow_hera.metaflow_api.light.users import ensure_user
from metaflow_hera.metaflow_api.load.output import to_stderr
from metaflow_hera.metaflow_api.load.refusals import metaflow_errors, parameter_errors
from metaflow_hera.metaflow_api.load.script import started_flow
from metaflow_hera.metaflow_api.pod.packaged_settings import (
    DEFAULT_EXECUTABLE,
    Interpreter,
    Retries,
    StepSettings,
)

START_HOOKS = ("runtime_init", "runtime_task_created", "runtime_step_cli", "runtime_finished")
"""The methods of a decorator that only Metaflow's own runtime calls."""


@dataclass(frozen=True)
class Decorator:
    """A decorator of a flow or of a step, with its attributes as Metaflow resolved them.

    `within_task` says that it is an extension's and works when the flow is loaded or inside the task, by its
    own code: it does not affect how tasks are started.
    """

    name: str
    attributes: Mapping[str, Any]
    within_task: bool = False


@dataclass(frozen=True)
class Parameter:
    """A Parameter of a flow.

    `kind` is the name of its type: str, int, float, bool, JSON or FilePath. `default` is evaluated
    once, when the flow is loaded for deployment, and written as a user would type it; None where there
    is none. `encoding` is that of an IncludeFile's text, None where it holds bytes.
    """

    name: str
    variable: str
    kind: str
    required: bool
    default: str | None
    help: str | None
    encoding: str | None = None

    @property
    def must_be_given(self) -> bool:
        """Whether no run can start without a value for it."""
        return self.required and self.default is None


@dataclass
class LoadedFlow:
    """A checked flow with its decorators attached.

    `file` is the flow's script; `state` is Metaflow's own, for the other modules of this package only.
    """

    file: Path
    state: Any = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the flow's class."""
        return str(self.state.flow.name)

    @property
    def doc(self) -> str:
        """The docstring of the flow's class, or nothing."""
        return inspect.cleandoc(self.state.flow.__doc__ or "")

    @property
    def datastore(self) -> str:
        """The type of the datastore: local, s3, ..."""
        return str(self.state.flow_datastore.TYPE)

    @property
    def datastore_root(self) -> str:
        """Where the datastore's data is, as Metaflow has it: s3://bucket/folder, ..."""
        return str(self.state.flow_datastore.datastore_root)

    @property
    def metadata(self) -> str:
        """The type of the metadata provider: local, service, ..."""
        return str(self.state.metadata.TYPE)

    @property
    def metadata_place(self) -> str:
        """Where the metadata is, as Metaflow's Client API takes it: its type and its place."""
        return str(self.state.metadata.metadata_str())

    @property
    def environment(self) -> str:
        """The type of the environment: local, conda, pypi, ..."""
        return str(self.state.environment.TYPE)

    @property
    def environment_decorators(self) -> Sequence[str]:
        """The names of the decorators that the environment itself attaches to all steps."""
        return [spec.partition(":")[0] for spec in self.state.environment.decospecs() or ()]

    @cached_property
    def graph(self) -> Graph:
        """The graph of the flow as plain data."""
        graph = self.state.graph
        steps = {node.name: _step(node) for node in graph}
        return Graph(*first_and_last(graph), steps)

    @cached_property
    def parameters(self) -> Sequence[Parameter]:
        """The Parameters, their defaults evaluated.

        Raises FlowError when a deploy-time function fails, or two have the same name.
        """
        with metaflow_errors(), to_stderr():
            found = [_parameter(name, param) for name, param in self._own_parameters()]
        for name, count in Counter(each.name for each in found).items():
            if count > 1:
                raise FlowError(f"The flow has {count} Parameters named {name!r}: rename all but one.")
        return found

    @property
    def configs(self) -> Sequence[str]:
        """The names of the flow's Configs; their values travel in the code package."""
        return [param.name for _, param in self.state.flow._get_parameters() if param.IS_CONFIG_PARAMETER]

    @property
    def flow_decorators(self) -> Sequence[Decorator]:
        """The decorators of the flow itself."""
        return [
            Decorator(deco.name, deco.attributes, _is_extensions(type(deco)))
            for decos in self.state.flow._flow_decorators.values()
            for deco in decos
        ]

    def step_decorators(self, step: str) -> Sequence[Decorator]:
        """The decorators of a step, those of `--with` included."""
        return [
            Decorator(deco.name, deco.attributes, _is_within_task(type(deco)))
            for deco in self.state.graph[step].decorators
        ]

    def retries(self, step: str) -> Retries:
        """How often a step is retried. Raises FlowError if that is not a number."""
        user_code = error = 0
        minutes = 2
        with metaflow_errors():
            for deco in self.state.graph[step].decorators:
                deco_user_code, deco_error = deco.step_task_retry_count()
                if deco_user_code is None and deco_error is None:  # Metaflow: no retries, whoever asks
                    return Retries(0, 0, minutes)
                user_code, error = max(user_code, deco_user_code), max(error, deco_error)
                if deco.name == "retry":
                    minutes = int(deco.attributes.get("minutes_between_retries", minutes))
        return Retries(user_code, user_code + error, minutes)

    def time_limit(self, step: str) -> int | None:
        """The seconds after which @timeout ends a step's task; None without one."""
        return next((int(d.secs) for d in self.state.graph[step].decorators if d.name == "timeout"), None)

    def step_settings(self, step: str, has_environments: bool = True) -> StepSettings:
        """What the runtime needs to know about a step; `has_environments`: Metaflow has made them."""
        own = next((d.attributes for d in self.step_decorators(step) if d.name == "kubernetes"), {})
        wait = int(own.get("hostname_resolution_timeout") or StepSettings.parallel_timeout)
        return StepSettings(
            self.retries(step), self.time_limit(step), wait, self._interpreter(step, has_environments)
        )

    def _interpreter(self, step: str, is_made: bool) -> Interpreter | None:
        """The Python of the step's own environment."""
        environment = self.state.environment
        commands = environment.bootstrap_commands(step, self.datastore)
        executable = environment.executable(step, DEFAULT_EXECUTABLE)
        if not commands and executable == DEFAULT_EXECUTABLE:
            return None
        if is_made and commands and self.datastore == "local" and hasattr(environment, "interpreter"):
            # @conda and @pypi: Metaflow keeps no packages in a local datastore for the pods to install. They
            # run on this machine, where it has just made the environment.
            commands, executable = [], f"{shlex.quote(environment.interpreter(step))} -s"
        return Interpreter(commands, executable, environment.executable("_parameters", DEFAULT_EXECUTABLE))

    @property
    def project(self) -> Mapping[str, str]:
        """`project_name`, `branch_name` and `project_flow_name` of @project; empty without one."""
        names = ("project_name", "branch_name", "project_flow_name")
        return {name: current.get(name) for name in names} if current.get("project_name") else {}

    @property
    def schedules(self) -> Sequence[tuple[str, str | None]]:
        """The cron expression of each @schedule, as Metaflow has it, and its time zone, in their order."""
        return [
            (deco.schedule, deco.timezone)
            # Python applies the last decorator first.
            for deco in reversed(self.state.flow._flow_decorators.get("schedule", []))
            if deco.schedule is not None
        ]

    def lint(self) -> None:
        """Check the flow with Metaflow's lint. Raises FlowError for what it finds."""
        state = self.state
        with metaflow_errors():
            state.check(state.graph, state.flow, state.environment, pylint=state.pylint)

    def values_of(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Values for the Parameters from those of Metaflow's command line, by their names in click.

        Raises ParameterError if the file of an IncludeFile cannot be stored.
        """
        found = {}
        for _, param in self._own_parameters():
            key = param.name.replace("-", "_").lower()
            if key in options:
                value = options[key]
                if isinstance(value, DelayedEvaluationParameter):
                    with parameter_errors(param.name), to_stderr():
                        value = value(return_str=True)
                found[param.name] = value
        return found

    def _own_parameters(self) -> Iterator[tuple[str, Any]]:
        """In the order in which the flow's classes define them; Metaflow sorts them by name."""
        flow = self.state.flow
        own = {name: param for name, param in flow._get_parameters() if not param.IS_CONFIG_PARAMETER}
        defined = (name for each in reversed(type(flow).__mro__) for name in vars(each) if name in own)
        for name in dict.fromkeys([*defined, *own]):
            yield name, own[name]


def load_flow(file: str, top_level: Sequence[str] = ()) -> LoadedFlow:
    """Load the flow that a script starts, check it with Metaflow's lint and attach its decorators.

    `top_level` are Metaflow's options before the command, such as `["--with", "retry"]`.
    Raises FlowError for a script that starts no valid flow, OptionError for options that Metaflow
    does not accept.
    """
    ensure_user()
    KubernetesDecorator.deploying = True
    path = Path(file).absolute()
    if not path.is_file():
        raise FlowError(absent(file))
    arguments = ["--quiet", *top_level, "check"]
    with to_stderr():
        # Before the script: the options that its flow adds must be those of this command line alone.
        from metaflow.cli import CliState

        from metaflow_hera.metaflow_api.pod.commands import command_line

        flow_class = started_flow(path, arguments)
        _forget_configs_of_others(flow_class.__name__)
        with metaflow_errors(flow_class), flow_context(flow_class):
            state = CliState(flow_class(use_cli=False))
            state.entrypoint = [sys.executable, str(path)]
            command_line(flow_class).main(
                args=arguments,
                prog_name=path.name,
                obj=state,
                auto_envvar_prefix="METAFLOW",
                standalone_mode=False,
            )
    return LoadedFlow(path, state)


def _forget_configs_of_others(flow: str) -> None:
    """Take the Configs of a pod's own flow out of its environment, where a task deploys another one."""
    if os.environ.get(environment.FLOW_NAME, flow) == flow:
        return
    with contextlib.suppress(
        ValueError
    ):  # not the pod's: the user's own, of which Metaflow says what is wrong
        values = json.loads(os.environ.get(environment.CONFIG_VALUES) or "{}")
        if values == {name: ConfigInput.make_key_name(name) for name in values}:
            os.environ.pop(environment.CONFIG_VALUES, None)


def _is_within_task(deco: type[Any]) -> bool:
    # Those built on @parallel have its hook, whose work is done by the pods of its nodes.
    known = (StepDecorator, ParallelDecorator)
    return _is_extensions(deco) and all(
        getattr(deco, hook) in [getattr(each, hook) for each in known] for hook in START_HOOKS
    )


def _is_extensions(deco: type[Any]) -> bool:
    return not deco.__module__.startswith("metaflow.")


def _step(node: Any) -> Step:
    return Step(
        name=node.name,
        kind=node.type,
        out=tuple(dict.fromkeys(node.out_funcs)),  # two cases of a switch may lead to the same step
        parallel=bool(node.parallel_step),
    )


def _parameter(variable: str, param: Any) -> Parameter:
    kind = _kind(param.kwargs.get("type"))
    default = deploy_time_eval(param.kwargs.get("default"))
    if default is not None and not isinstance(default, str):
        default = json.dumps(default)
    return Parameter(
        name=param.name,
        variable=variable,
        kind=kind,
        required=bool(param.kwargs.get("required", False)),
        default=default,
        help=param.kwargs.get("help"),
        encoding=_encoding(param.kwargs.get("type")),
    )


def _encoding(param_type: Any) -> str | None:
    return param_type._encoding if isinstance(param_type, FilePathClass) and param_type._is_text else None


def _kind(param_type: Any) -> str:
    if param_type == JSONType:
        return "JSON"
    if isinstance(param_type, FilePathClass):
        return "FilePath"
    return str(getattr(param_type, "__name__", None) or getattr(param_type, "name", param_type))
