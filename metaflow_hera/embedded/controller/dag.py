"""A running DAG: which task starts when, and how the DAG ends (dag.go of Argo)."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from metaflow_hera.embedded.controller.dag_order import Task
from metaflow_hera.embedded.controller.execution import Call, CallError, Execution, Path, arguments_of
from metaflow_hera.embedded.controller.items import ItemsError
from metaflow_hera.embedded.controller.nodes import fulfilled
from metaflow_hera.embedded.controller.outcome import collect_outputs, dag_phase
from metaflow_hera.embedded.controller.scope import ABSENT, TaskScope, resolve_references, task_value
from metaflow_hera.embedded.controller.task_groups import TaskGroup, items_of
from metaflow_hera.embedded.expressions.depends import evaluate
from metaflow_hera.embedded.expressions.gojson import Raw
from metaflow_hera.embedded.expressions.language import ExpressionError
from metaflow_hera.embedded.expressions.variables import MissingVariable, SubstitutionError
from metaflow_hera.embedded.expressions.when import WhenError, should_execute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import is_task_group

OMITTED = "omitted: depends condition not met"


class DagFrame:
    """One DAG node that is not over. Tasks are known by their rank in the plan."""

    __slots__ = (
        "blocked",
        "call",
        "due",
        "groups",
        "left",
        "node",
        "open",
        "path",
        "plan",
        "ready",
        "run",
        "tasks",
        "template",
        "waiting",
    )

    def __init__(self, run: Execution, call: Call, template: JSON, node: JSON) -> None:
        self.run = run
        self.call = call
        self.template = template
        self.node = node
        self.path: Path = call.path
        self.plan = run.plan(template)
        self.tasks: dict[str, JSON] = {task["name"]: task for task in template["dag"]["tasks"]}
        self.groups: dict[int, TaskGroup] = {}
        # What a limit holds back: calls by rank, and the ranks of these and of TaskGroups in order.
        self.blocked: dict[int, Call] = {}
        self.waiting: list[int] = []
        # TaskGroups with an item that ended since the last step.
        self.due: set[int] = set()
        # Tasks under way, and for each task how many of its dependencies are not over.
        self.open = 0
        self.left = [len(task.depends) for task in self.plan.tasks]
        self.ready: list[int] = []
        for task in self.plan.tasks:
            found = run.nodes.find(self._name(task))
            if found is not None and fulfilled(found):
                self._release(task)
            elif found is not None:
                heapq.heappush(self.ready, task.rank)
        for task in self.plan.tasks:
            if (
                not self.left[task.rank]
                and self._task_node(task.rank) is None
                and task.rank not in self.ready
            ):
                heapq.heappush(self.ready, task.rank)

    # What others report.

    def ended(self, key: int, node: JSON) -> None:
        """The node of a task is over."""
        self.open -= 1
        self._release(self.plan.tasks[key])
        self.run.stir(self)

    def give_up(self, reason: str) -> None:
        """Fail: nothing of it is under way, and the workflow is to end."""
        self._finish("Failed", reason)

    def go_on(self, call: Call) -> None:
        """A task has what it waited for."""
        self._execute(call.key, call)
        self.run.stir(self)

    def item_ended(self, rank: int) -> None:
        """An item of the TaskGroup of a task is over."""
        self.due.add(rank)
        self.run.stir(self)

    def step(self) -> None:
        """Start what can start; check whether the DAG is over."""
        if fulfilled(self.node):
            return
        self._go_on()
        later: list[int] = []
        while self.ready:
            rank = heapq.heappop(self.ready)
            if self.run.held and self._task_node(rank) is None:
                later.append(rank)
            else:
                self._begin(self.plan.tasks[rank])
        if self.run.held:
            self.ready = later
            return
        if self.waiting and self.run.is_full():
            self.run.wait_for_room(self)
        self._assess()

    # Tasks.

    def _name(self, task: Task) -> str:
        return f"{self.node['name']}.{task.name}"

    def _task_node(self, rank: int) -> JSON | None:
        return self.run.nodes.find(self._name(self.plan.tasks[rank]))

    def _release(self, task: Task) -> None:
        """A task is over: those waiting for it may be ready."""
        for rank in task.dependents:
            self.left[rank] -= 1
            if not self.left[rank] and self._task_node(rank) is None:
                heapq.heappush(self.ready, rank)

    def _go_on(self) -> None:
        """Finish TaskGroups that are over, and try again what a limit held back, in Argo's order."""
        due, self.due = self.due, set()
        for rank in sorted(due):
            self._advance(rank)
        while self.waiting and self._has_room():
            rank = heapq.heappop(self.waiting)
            if rank in self.blocked:
                self._execute(rank, self.blocked.pop(rank))
            elif rank in self.groups:
                self._advance(rank)

    def _has_room(self) -> bool:
        """Whether the limits let one more node begin in here."""
        limit = self.template.get("parallelism")
        full = limit is not None and self.run.nodes.active_children[self.node["id"]] >= limit
        return not (full or self.run.held or self.run.is_full())

    def _advance(self, rank: int) -> None:
        """Start items of a TaskGroup as limits allow; they are in `waiting` as long as some are left."""
        group = self.groups[rank]
        if group.advance():
            del self.groups[rank]
            self.open -= 1
            self._release(self.plan.tasks[rank])
        elif group.next < len(group.items) and rank not in self.waiting:
            heapq.heappush(self.waiting, rank)

    def _begin(self, task: Task) -> None:
        """executeDAGTask for a task whose dependencies are over."""
        node = self._task_node(task.rank)
        if node is None and task.rule and not self._decide(task):
            return
        try:
            resolved = self._resolve(task)
            expands = is_task_group(self.tasks[task.name])
            execute = expands or should_execute(resolved.get("when", ""))
            items = items_of(resolved, self._scope(task).resolve) if expands else None
        except MissingVariable:
            # Argo tries again for ever: the task never starts, and the DAG stays Running.
            return
        except (SubstitutionError, WhenError, ItemsError) as error:
            self._settle(task, "Error", str(error))
            return
        if items is not None:
            self._expand(task, resolved, items, node)
            return
        if node is None and not execute:
            self._settle(task, "Skipped", f"when '{resolved['when']}' evaluated false")
            return
        if node is None:
            self._connect(task)
        self.open += 1
        call = self.call_of(resolved, self._name(task), self, task.rank, (task.rank, 0))
        call.written = arguments_of(self.tasks[task.name])
        self._execute(task.rank, call)

    def _decide(self, task: Task) -> bool:
        try:
            run = evaluate(task.rule, self._results)
        except ExpressionError as error:
            self._settle(task, "Error", str(error))
            return False
        if not run:
            self._settle(task, "Omitted", OMITTED)
        return run

    def _results(self, name: str) -> Mapping[str, bool]:
        """Which results a dependency has (TaskResults)."""
        rank = self.plan.rank_in_rule.get(name)
        node = None if rank is None else self._task_node(rank)
        if node is None:
            raise ExpressionError(f"unknown name {name}")
        phase = node["phase"]
        phases: list[str] = []
        if node["type"] == "TaskGroup":
            by_id = self.run.nodes.by_id
            phases = [by_id[key]["phase"] for key in node.get("children", ()) if key in by_id]
        return {
            "Succeeded": phase == "Succeeded",
            "Failed": phase == "Failed",
            "Errored": phase == "Error",
            "Skipped": phase == "Skipped",
            "Omitted": phase == "Omitted",
            "Daemoned": False,
            "AnySucceeded": "Succeeded" in phases,
            "AllFailed": bool(phases) and all(each == "Failed" for each in phases),
        }

    def _resolve(self, task: Task) -> JSON:
        """The task with its tags replaced."""
        return resolve_references(self.run, self.tasks[task.name], self._scope(task))

    def _scope(self, task: Task) -> TaskScope:
        def ancestor(name: str) -> JSON | None:
            rank = self.plan.rank.get(name)
            if rank is None or not task.ancestors >> rank & 1:
                return None
            return self._task_node(rank)

        return TaskScope(self.run, ancestor)

    def _expand(self, task: Task, resolved: JSON, items: list[Raw], node: JSON | None) -> None:
        if not items:
            self._settle(task, "Skipped", "Skipped, empty params")
            return
        if node is None:
            self._connect(task)
            call = self.call_of(resolved, self._name(task), self, task.rank, (task.rank, 0))
            node = self.run.create_unexecuted(call, "TaskGroup", "Running")
        group = TaskGroup(self, task.rank, resolved, items, node, self._scope(task).resolve)
        self.open += 1
        self.groups[task.rank] = group
        self._advance(task.rank)

    def _execute(self, rank: int, call: Call) -> None:
        try:
            node = self.run.execute(call)
        except CallError as error:
            node = self.run.nodes.find(call.name)
            assert node is not None
            self.run.nodes.mark(node, "Error", call.complaint(str(error)))
        if node is None:
            self.blocked[rank] = call
            heapq.heappush(self.waiting, rank)
        elif fulfilled(node):
            self.open -= 1
            self._release(self.plan.tasks[rank])

    def call_of(self, task: JSON, name: str, owner: Any, key: int, place: Path) -> Call:
        """The call that a resolved task makes."""
        return Call(
            name,
            task.get("template", ""),
            arguments_of(task),
            owner,
            key,
            (*self.path, *place),
            self.call.depth + 1,
            self.node,
            task["name"],
            self.call.on_exit,
        )

    def _settle(self, task: Task, phase: str, message: str) -> None:
        """A task that ends without having run."""
        node = self._task_node(task.rank)
        if node is not None:
            self.run.nodes.mark(node, phase, message)
        else:
            self._connect(task)
            call = self.call_of(self.tasks[task.name], self._name(task), self, task.rank, (task.rank, 0))
            self.run.create_unexecuted(call, "Skipped", phase, message)
        self._release(task)

    def _connect(self, task: Task) -> None:
        """Link a task that is about to get a node to what comes before it."""
        nodes, name = self.run.nodes, self._name(task)
        if not task.depends:
            nodes.link(self.node, name)
            return
        for rank in task.depends:
            before = self._task_node(rank)
            assert before is not None
            for key in nodes.outbound(before):
                nodes.link(nodes.by_id[key], name)

    # The whole.

    def _assess(self) -> None:
        """Check whether the DAG is over, and in which phase."""
        # Argo then fails every DAG at once, even the exit handler's, whose first pods still run.
        stopped = bool(self.run.shutdown)
        if not stopped and (self.open or self.blocked):
            return
        phase = "Failed" if stopped else dag_phase(self.run, self.node, self.plan, self.template, self.tasks)
        if phase == "Running":
            self.run.watch(self)
            return
        if phase == "Succeeded":
            missing = collect_outputs(self.node, self.template, self._value)
            if missing is not None:
                self._close("Error", self.call.complaint(missing))
                return
        self._finish(phase)

    def _value(self, tag: str) -> str | None:
        """The value of a tag for the outputs of the whole."""
        if not tag.startswith("tasks."):
            return self.run.globals.resolve(tag)
        name, _, rest = tag[len("tasks.") :].partition(".")
        node = self.run.nodes.find(f"{self.node['name']}.{name}") if name in self.plan.rank else None
        value = None if node is None else task_value(self.run, node, rest)
        return None if value is ABSENT else value

    def _finish(self, phase: str, message: str | None = None) -> None:
        outbound: list[str] = []
        for rank in self.plan.targets:
            node = self._task_node(rank)
            if node is not None:
                outbound += self.run.nodes.outbound(node)
        if outbound:
            self.node["outboundNodes"] = outbound
        else:
            self.node.pop("outboundNodes", None)
        self._close(phase, message)

    def _close(self, phase: str, message: str | None) -> None:
        self.run.nodes.mark(self.node, phase, message)
        self.run.forget(self, self.node)
        self.run.tell(self.call.owner, self.call.key, self.node)
