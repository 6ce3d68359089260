"""Scopes as DAG templates: one for the flow, and for each foreach one that fans out and one for its body."""

from __future__ import annotations

from hera.workflows import DAG, Parameter, Task

from metaflow_hera.graph import scopes
from metaflow_hera.translate.names import Names
from metaflow_hera.translate.pods import ITEMS, Pods

PATH = "{{inputs.parameters.path}}"
ITEM_PATH = PATH + "-{{item}}"


class Dags:
    """The DAG templates of a flow, each after those it uses; `max_workers` bounds each foreach."""

    def __init__(self, pods: Pods, names: Names, max_workers: int) -> None:
        self.templates: list[DAG] = []
        self._pods = pods
        self._names = names
        self._max_workers = max_workers

    def entrypoint(self, flow: scopes.Scope) -> str:
        """Make the templates of a whole flow and return the name of the one to begin with."""
        return self._scope("flow", flow)

    def _scope(self, title: str, scope: scopes.Scope) -> str:
        """The template of a scope; inside a foreach it takes the path of its item."""
        names = Names()
        tasks: dict[scopes.Member, Task] = {}
        path = {"path": PATH} if scope.path else {}
        for member in scope.members:
            if isinstance(member, scopes.Fan):
                found = f"{{{{tasks.{tasks[member.foreach].name}.outputs.parameters.{ITEMS}}}}}"
                tasks[member] = Task(
                    name=names.give(f"{member.foreach.step.name}-foreach"),
                    template=self._fan(member),
                    arguments={ITEMS: found, **path},
                    depends=tasks[member.foreach].name,
                )
            else:
                tasks[member] = Task(
                    name=names.give(member.step.name),
                    template=self._pods.template(member.step),
                    arguments={"step": member.step.name, **path},
                    depends=" && ".join(tasks[before].name for before in member.after) or None,
                )
        return self._dag(title, [Parameter(name="path")] if scope.path else [], list(tasks.values()))

    def _fan(self, fan: scopes.Fan) -> str:
        """The template that runs a body for each item, so many at once as `parallelism` says.

        The limit is this template's alone: that is what makes it hold for each foreach step.
        """
        title = fan.foreach.step.name
        match fan.body.members:
            case (scopes.Task(step),):  # a pod is a body of its own: no DAG around each
                name, template, own = step.name, self._pods.template(step), {"step": step.name}
            case _:
                name, template, own = f"{title}-item", self._scope(f"{title}-item", fan.body), {}
        task = Task(
            name=Names().give(name),
            template=template,
            arguments={**own, "path": ITEM_PATH},
            with_param=f"{{{{inputs.parameters.{ITEMS}}}}}",
        )
        inputs = [Parameter(name=ITEMS), Parameter(name="path", value="")]
        return self._dag(f"{title}-foreach", inputs, [task], parallelism=self._max_workers)

    def _dag(
        self, title: str, inputs: list[Parameter], tasks: list[Task], parallelism: int | None = None
    ) -> str:
        name = self._names.give(title)
        self.templates.append(DAG(name=name, inputs=inputs or None, tasks=[*tasks], parallelism=parallelism))
        return name
