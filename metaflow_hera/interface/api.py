"""The Python interface: translate and deploy a flow, start it and follow it, in a notebook or a script.

Everything works inside a running event loop. Errors are those of `metaflow_hera.errors`, and the TimeoutError
of `Run.wait`.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, TypeVar

from hera import workflows

from metaflow_hera.argo import deployments, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import resolve_target
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.choices.metaflow import MetaflowOptions
from metaflow_hera.choices.option import options_of
from metaflow_hera.choices.signature import note_options
from metaflow_hera.comparison.records import Difference
from metaflow_hera.display import views
from metaflow_hera.display.templates import template_html
from metaflow_hera.display.times import noted_time
from metaflow_hera.errors import OptionError, UsageError
from metaflow_hera.interface import isolated
from metaflow_hera.interface.cells import script_of
from metaflow_hera.interface.runs import Run
from metaflow_hera.metaflow_api.load.script import LOADING
from metaflow_hera.operations.backfill import (
    Backfill,
    Choice,
    ScheduledRun,
    check_ended_well,
    check_parallel,
    wanted,
)
from metaflow_hera.operations.firing_times import Span
from metaflow_hera.operations.removal import remove
from metaflow_hera.operations.rollback import rollback
from metaflow_hera.operations.versions import Version, versions_of
from metaflow_hera.translation.template import Companion, Translation
from metaflow_hera.translation.writing import as_json, to_yaml

Flow = str | os.PathLike[str] | type | ModuleType
"""A flow: the path of its script, its class, defined in a file or in a cell, or its module."""
P = ParamSpec("P")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keywords(MetaflowOptions, CreateOptions):
    """The keywords of `deploy` and `translate`: the options of `mfhera create`, and Metaflow's own."""


def _takes(table: Callable[P, object]) -> Callable[[Callable[..., R]], Callable[Concatenate[Flow, P], R]]:
    """Give a function that takes a flow the options of a table: for type checkers, editors and `help`."""
    assert isinstance(table, type)
    options = options_of(table)

    def give(function: Callable[..., R]) -> Callable[Concatenate[Flow, P], R]:
        note_options(function, options, lambda option: f"{option.name}: {option.help}")
        return function

    return give


class WorkflowTemplate(workflows.WorkflowTemplate):
    """Hera's WorkflowTemplate of a flow; `companions` are the CronWorkflows and the Sensor beside it."""

    companions: Sequence[Companion] = ()

    def to_yaml(self, *_: Any, **__: Any) -> str:
        """The template and its companions as YAML that every parser reads alike, which Hera's is not."""
        return to_yaml([as_json(item) for item in (self, *self.companions)])

    def __repr__(self) -> str:
        return f"WorkflowTemplate({self.name!r}, {len(self.templates or ())} templates)"

    def __str__(self) -> str:
        return self.to_yaml()

    def _repr_html_(self) -> str:
        companions = [as_json(item) for item in self.companions]
        return template_html(as_json(self), companions, self.to_yaml())


@_takes(Keywords)
def translate(flow: Flow, **options: Any) -> WorkflowTemplate:
    """Translate a flow into Hera's objects and deploy nothing.

    Args:
        flow: the path of a flow's script, a module, or the flow's class, defined in a file or in a cell.
        options: those of `deploy`.

    Raises:
        OptionError: an option is unknown, or has a value that is not valid.
        UsageError: the flow cannot be loaded or translated.
        ConfigurationError: the configuration names no usable server or datastore.
    """
    source = _Source.of(flow, options)
    made: Translation = source.call(isolated.translate, source.create)
    fields = {
        field.name: getattr(made.template, field.name)
        for field in dataclasses.fields(made.template)
        if field.init
    }
    template = WorkflowTemplate(**fields)
    template.companions = made.companions
    return template


@_takes(Keywords)
def deploy(flow: Flow, **options: Any) -> Deployment:
    """Deploy a flow: to the server that ARGO_SERVER names, else to the embedded Argo of this machine.

    Args:
        flow: the path of a flow's script, a module, or the flow's class, defined in a file or in a cell.
        options: those of docs/reference/options.md, by their names in Python.

    Raises:
        OptionError: an option is unknown, or has a value that is not valid.
        UsageError: the flow cannot be loaded or translated.
        NotYoursError: somebody else deployed it.
        NameTakenError: another flow's deployment has its name.
        ConfigurationError: the configuration names no usable server, datastore or folder.
        LocalServerError: the embedded Argo does not start.
        ArgoError: the server refuses it, or does not answer.
    """
    source = _Source.of(flow, options)
    created, target, warnings = source.call(isolated.deploy, source.create)
    for warning in warnings:
        print(warning, file=sys.stderr)
    client = ArgoClient(target)
    return Deployment(client, deployments.existing(client, created.name), source)


class Deployment:
    """A deployed flow. `deploy` makes one; `Deployment.find` finds an existing one."""

    def __init__(
        self, client: ArgoClient, deployed: deployments.Deployed, source: _Source | None = None
    ) -> None:
        self._client = client
        self._deployed = deployed
        self._source = source

    @classmethod
    def find(cls, name: str) -> Deployment:
        """What is deployed under a name.

        Raises:
            NotFoundError: nothing is.
            NameTakenError: a workflow template of another tool has the name.
            LocalServerError: the embedded Argo is meant, and not running.
            ArgoError: the server refuses the request, or does not answer.
        """
        client = ArgoClient(resolve_target(start=False))
        return cls(client, deployments.existing(client, name))

    @property
    def name(self) -> str:
        """The name of the workflow template."""
        return self._deployed.name

    @property
    def flow(self) -> str:
        """The name of the flow."""
        return self._deployed.flow

    @property
    def owner(self) -> str:
        """Who deployed it."""
        return self._deployed.owner

    @property
    def production_token(self) -> str:
        """The production token, with which others may deploy it."""
        return self._deployed.token

    @property
    def namespace(self) -> str:
        """Metaflow's namespace of its runs."""
        return f"production:{self._deployed.token}"

    @property
    def runs(self) -> runs.RunList[Run]:
        """The runs that Argo still has, the newest first; `runs()` is the same."""
        return runs.RunList(Run(run.run_id, self._client) for run in runs.runs(self._client, self.name))

    def trigger(
        self, parameters: Mapping[str, Any] | None = None, /, *, tags: Sequence[str] = (), **values: Any
    ) -> Run:
        """Start a run of what is deployed under this name now.

        Args:
            parameters: values of Parameters by name, for names that cannot be keywords.
            tags: tags for all that the run makes.
            values: values of Parameters. For an IncludeFile, a path; this needs a Deployment that `deploy`
                returned, since the flow says how to store the file.

        Raises:
            ParameterError: a value is missing, unknown or of the wrong type; nothing was started.
            UsageError: Metaflow refuses a tag, or an older version made the deployment, which takes none.
            NotFoundError: the deployment is gone.
            ArgoError: the server refuses the request, or does not answer.
        """
        found = deployments.existing(self._client, self.name)
        given = self._stored({**(parameters or {}), **values}, found)
        started = runs.start(self._client, found, given, tags)
        return Run(started.run_id, self._client)

    def diff(self, flow: Flow | None = None, /, **options: Any) -> Difference:
        """What deploying its flow, as that is now, would change; nothing is deployed or stored.

        Args:
            flow: the flow, as `deploy` takes it; by default the one that `deploy` was called with.
            options: those of `deploy`, for a flow that is given here; others are deployed as they were.

        Raises:
            OptionError: an option is unknown, or has a value that is not valid.
            UsageError: the flow cannot be loaded or translated, it is none of this deployment, or it is not
                known here and has to be given.
            ConfigurationError: the configuration names no usable datastore.
            ArgoError: the server refuses the request, or does not answer.
        """
        if flow is None and options:
            raise UsageError("Options of deploy need the flow that they are for: give it before them.")
        source = self._source if flow is None else _Source.of(flow, options)
        if source is None:
            raise UsageError(f"{self.name} was found by its name: give the flow to compare it with.")
        found: Difference = source.call(isolated.diff, source.create, self._client.target)
        if found.name != self.name:
            raise UsageError(
                f"With these options the flow is deployed as {found.name}, and not as {self.name}: "
                "give those with which it was deployed."
            )
        return found

    def versions(self) -> Sequence[Version]:
        """The versions that were live, as far as the history goes back, the newest first.

        Raises:
            NotFoundError: the deployment is gone.
            ConfigurationError: the history cannot be read.
            ArgoError: the server refuses the request, or does not answer.
        """
        return versions_of(self._client, self.name).versions

    def rollback(
        self, to: int | None = None, *, message: str | None = None, authorize: str | None = None
    ) -> int:
        """Make an earlier version live again, manifest and code package as they were; runs go on with theirs.

        Args:
            to: the number of the version; by default the one before the live version.
            message: why, for those who look at the versions later.
            authorize: the production token, if somebody else deployed it.

        Returns:
            The number of the version that is live now: a new one, unless `to` is the live version, which is
            then completed where it was deployed in part.

        Raises:
            NotFoundError: the deployment is gone, or has no such version.
            NotYoursError: somebody else deployed it.
            UsageError: that version cannot be live again; the message says why.
            ConfigurationError: the history cannot be read or written.
            ArgoError: the server refuses it, or does not answer.
        """
        done = rollback(self._client, self.name, to, message=message, authorize=authorize)
        for note in done.notes:
            print(note, file=sys.stderr)
        self._deployed = deployments.existing(self._client, self.name)
        return done.version

    def backfill(
        self,
        begin: str,
        end: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        /,
        *,
        cron: str | None = None,
        parallel: int = 1,
        newest_first: bool = False,
        dry_run: bool = False,
        **values: Any,
    ) -> Sequence[ScheduledRun]:
        """Start the runs that a schedule missed, and wait until all have ended.

        A time that has a run is skipped, whoever started it. If it is interrupted, the same call continues.

        Args:
            begin: the first time: a date, or a date with a time. Without a zone, it is in the schedule's.
            end: the last time, by default now; a date includes the whole day.
            parameters: values of Parameters by name, for names that cannot be keywords.
            cron: times of this cron expression, in the zone of the schedules, in their place.
            parallel: how many of these runs may run at once.
            newest_first: start with the latest time.
            dry_run: start nothing.
            values: values of Parameters, as `trigger` takes them. In texts `{{date}}`, `{{datetime}}` and
                `{{next}}` are the scheduled time and the one after it.

        Returns:
            The times in the order in which they are started, each with its run.

        Raises:
            OptionError: times, an expression or a number of runs that are not valid.
            ParameterError: a value is missing, unknown or of the wrong type; nothing was started.
            UsageError: there is no schedule, or an older version made the deployment.
            NotFoundError: the deployment is gone.
            RunFailed: one of the runs did not end well; the message names them.
            ArgoError: the server refuses the request, or does not answer; what runs goes on.
        """
        check_parallel(parallel)
        found = deployments.existing(self._client, self.name)
        given = self._stored({**(parameters or {}), **values}, found)
        choice = Choice(Span(begin, end), cron, newest_first)
        work = Backfill(self._client, wanted(self._client, found, choice, given))
        if dry_run:
            work.look_up()
            return work.times
        work.carry_out(parallel)
        check_ended_well(work.times)
        return work.times

    def _stored(self, given: Mapping[str, Any], found: deployments.Deployed) -> Mapping[str, Any]:
        """Values for Parameters, with the path of each IncludeFile replaced by a reference to it."""
        if self._source is not None and any(found.is_file(name) for name in given):
            stored: Mapping[str, Any] = self._source.call(isolated.stored_files, given)
            return stored
        return given

    def delete(self, authorize: str | None = None) -> None:
        """Remove it; runs and results stay.

        Raises NotFoundError if it is gone, NotYoursError if it is not this user's.
        """
        remove(self._client, self.name, authorize)

    def __repr__(self) -> str:
        return f"Deployment({self.name!r})"

    def __str__(self) -> str:
        return views.as_text(self.__rich__())

    def _repr_html_(self) -> str:
        return views.as_html(self.__rich__())

    def __rich__(self) -> Any:
        found = self._deployed
        rows = {
            "flow": found.flow,
            "at": str(self._client.target),
            "owner": found.owner,
            "version": str(found.version or "-"),
            "deployed": noted_time(found.deployed_at),
            "namespace": self.namespace,
            "parameters": views.parameters_in_words(found.parameters),
        }
        return views.facts(f"Deployment {found.name}", {key: value for key, value in rows.items() if value})


@dataclasses.dataclass(frozen=True)
class _Source:
    """A flow to load, with Metaflow's options for that, and those of `create`."""

    flow: Flow
    top_level: Sequence[str]
    create: CreateOptions

    @classmethod
    def of(cls, flow: Flow, options: Mapping[str, Any]) -> _Source:
        """The flow and its options as they are given to `deploy`. Raises OptionError for a wrong one."""
        own, metaflows = (
            {field.name for field in dataclasses.fields(table)} for table in (CreateOptions, MetaflowOptions)
        )
        for name in options:
            if name not in own | metaflows:
                near = difflib.get_close_matches(name, own | metaflows, n=2)
                other = "help(deploy) shows all options, and trigger takes the values of Parameters."
                hint = f"did you mean {' or '.join(near)}?" if near else other
                raise OptionError(f"There is no option {name}; {hint}")
        before = MetaflowOptions(**{name: options[name] for name in options if name in metaflows})
        create = CreateOptions(**{name: options[name] for name in options if name in own})
        return cls(flow, before.words(), create)

    def call(self, function: Any, *arguments: Any) -> Any:
        """Call a function of `isolated` with the flow's script and Metaflow's options.

        Raises UsageError while a flow is loaded: it would never end.
        """
        if LOADING in os.environ:
            raise UsageError(
                "A flow's script deploys while it is loaded: move that to another script, or into a step."
            )
        with script_of(self.flow) as script:
            return isolated.call(function, script, self.top_level, *arguments)
