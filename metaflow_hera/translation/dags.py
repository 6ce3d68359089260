"""Scopes as DAG templates: one for the flow, and for each foreach one for its items and one for its body."""

from __future__ import annotations

from collections.abc import Mapping

from hera.workflows import DAG, Parameter, Task

from metaflow_hera.contract import manifest
from metaflow_hera.graph import scopes
from metaflow_hera.translation.argo_tags import input_parameter, output_parameter
from metaflow_hera.translation.container_templates import ContainerTemplates
from metaflow_hera.translation.names import Names

PATH = input_parameter(manifest.PATH)
ITEM = "{{item}}"
ITEM_PATH = f"{PATH}-{ITEM}"


class Dags:
    """The DAG templates of a flow, each after those it uses; `max_workers` limits each foreach."""

    def __init__(self, containers: ContainerTemplates, names: Names, max_workers: int) -> None:
        self.templates: list[DAG] = []
        self._containers = containers
        self._names = names
        self._max_workers = max_workers
        self._foreachs: dict[scopes.Scope, str] = {}

    def entrypoint(self, flow: scopes.Scope) -> str:
        """Build the templates of a whole flow and return the name of the entrypoint."""
        return self._scope("flow", flow)

    def _scope(self, title: str, scope: scopes.Scope) -> str:
        """The template of a scope; inside a foreach it takes the path of its item."""
        names = Names()
        tasks: dict[scopes.Member, Task] = {}
        path = {manifest.PATH: PATH} if scope.path else {}
        for member in scope.members:
            if isinstance(member, scopes.Foreach):
                before = str(tasks[member.task].name)
                tasks[member] = Task(
                    name=names.give(f"{member.task.step.name}-foreach"),
                    template=self._foreach(member),
                    arguments={manifest.ITEMS: output_parameter(before, manifest.ITEMS), **path},
                    depends=f"{before}.Succeeded",
                )
            else:
                tasks[member] = Task(
                    name=names.give(member.step.name),
                    template=self._containers.template(member.step),
                    arguments={manifest.STEP: member.step.name, **path},
                    depends=_depends(member, tasks),
                    when=_when(member, tasks),
                )
        return self._dag(title, [Parameter(name=manifest.PATH)] if scope.path else [], list(tasks.values()))

    def _foreach(self, foreach: scopes.Foreach) -> str:
        """The template that runs a body for each item, as many at once as `parallelism` says.

        The limit is this template's alone, so it applies to each foreach step.
        """
        if foreach.body not in self._foreachs:
            self._foreachs[foreach.body] = self._new_foreach(foreach)
        return self._foreachs[foreach.body]

    def _new_foreach(self, foreach: scopes.Foreach) -> str:
        title = foreach.task.step.name
        own = {manifest.PATH: ITEM_PATH}
        match foreach.body.members:
            case (scopes.Task(step),):  # a pod is a body of its own: no DAG around each
                name, template = step.name, self._containers.template(step)
                if self._containers.splits.of(step.name) > 1:
                    own = {manifest.PATH: PATH, manifest.RANGE: ITEM}
                own = {manifest.STEP: step.name, **own}
            case _:
                name, template = f"{title}-item", self._scope(f"{title}-item", foreach.body)
        task = Task(
            name=Names().give(name),
            template=template,
            arguments=own,
            with_param=input_parameter(manifest.ITEMS),
        )
        inputs = [Parameter(name=manifest.ITEMS), Parameter(name=manifest.PATH, value="")]
        # The nodes of a @parallel step wait for each other: with a limit they could wait forever.
        limit = None if _is_parallel(foreach) else self._max_workers
        return self._dag(f"{title}-foreach", inputs, [task], parallelism=limit)

    def _dag(
        self, title: str, inputs: list[Parameter], tasks: list[Task], parallelism: int | None = None
    ) -> str:
        name = self._names.give(title)
        self.templates.append(DAG(name=name, inputs=inputs or None, tasks=[*tasks], parallelism=parallelism))
        return name


def _is_parallel(foreach: scopes.Foreach) -> bool:
    return any(isinstance(member, scopes.Task) and member.step.parallel for member in foreach.body.members)


def _depends(member: scopes.Task, tasks: Mapping[scopes.Member, Task]) -> str | None:
    """What must have ended before a task.

    Where one of several edges must be taken, each of their sources must have ended or been skipped;
    `_when` then says whether an edge was taken.
    """
    parts: list[str] = []
    for group in member.needs:
        names = [str(tasks[edge.source].name) for edge in group]
        if len(names) == 1:
            parts.append(f"{names[0]}.Succeeded")
        else:
            parts += [f"({name}.Succeeded || {name}.Skipped || {name}.Omitted)" for name in names]
    return " && ".join(dict.fromkeys(parts)) or None


def _when(member: scopes.Task, tasks: Mapping[scopes.Member, Task]) -> str | None:
    """Whether an edge of each group was taken; None where `_depends` alone says so."""
    groups = []
    for group in member.needs:
        if len(group) > 1 or group[0].is_choice:
            groups.append(" || ".join(_taken(edge, tasks) for edge in group))
    return groups[0] if len(groups) == 1 else " && ".join(f"({group})" for group in groups) or None


def _taken(edge: scopes.Edge, tasks: Mapping[scopes.Member, Task]) -> str:
    name = str(tasks[edge.source].name)
    if edge.is_choice:
        return f"'{output_parameter(name, manifest.CHOICE)}' == '{edge.target}'"
    return f"'{{{{tasks.{name}.status}}}}' == 'Succeeded'"
