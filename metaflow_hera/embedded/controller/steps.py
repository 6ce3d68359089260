"""Running steps: one group of parallel steps after the other (steps.go of Argo)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from metaflow_hera.embedded.controller.execution import Call, CallError, Execution, Path, arguments_of
from metaflow_hera.embedded.controller.items import ItemsError, item_name, without_items
from metaflow_hera.embedded.controller.nodes import UNSUCCESSFUL, fulfilled
from metaflow_hera.embedded.controller.outcome import collect_outputs, continues
from metaflow_hera.embedded.controller.scope import ABSENT, TaskScope, resolve_references, task_value
from metaflow_hera.embedded.controller.task_groups import expand, items_of, never_runs
from metaflow_hera.embedded.expressions.gojson import Raw
from metaflow_hera.embedded.expressions.variables import MissingVariable, SubstitutionError
from metaflow_hera.embedded.expressions.when import WhenError, should_execute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import is_task_group


class _GroupError(Exception):
    """Turns the running group into an Error."""


class _Item(NamedTuple):
    """A step that has not begun, or one item of it."""

    step: JSON
    name: str
    item: Raw = Raw("null")
    of_group: bool = False
    lenient: bool = False


class StepsFrame:
    """One node of type Steps that is not over. Only one of its groups runs at a time."""

    __slots__ = ("at", "call", "group", "node", "number", "open", "path", "run", "template", "todo")

    def __init__(self, run: Execution, call: Call, template: JSON, node: JSON) -> None:
        self.run = run
        self.call = call
        self.template = template
        self.node = node
        self.path: Path = call.path
        self.at = 0
        self.group: JSON | None = None
        # What has not begun, how many are under way, and the place of the next one.
        self.todo: deque[_Item] = deque()
        self.open = 0
        self.number = 0

    def ended(self, key: int, node: JSON) -> None:
        """A step is over."""
        self.open -= 1
        self.run.stir(self)

    def go_on(self, call: Call) -> None:
        """A step has what it waited for."""
        try:
            node = self._execute(call)
        except _GroupError as error:
            self._fail(self._enter(), "Error", str(error))
            return
        if node is not None and fulfilled(node):
            self.ended(call.key, node)

    def give_up(self, reason: str) -> None:
        """Fail: nothing of it is under way, and the workflow is to end."""
        self._fail(self._enter(), "Failed", reason)

    def step(self) -> None:
        """Start what can start; continue with the next group when one is over (executeSteps)."""
        if fulfilled(self.node) or self.run.held:
            return
        groups: list[list[JSON]] = self.template["steps"]
        while self.at < len(groups):
            group = self.group or self._enter()
            try:
                if self.group is None:
                    self.group = group
                    self._expand(groups[self.at])
                self._start(group)
            except MissingVariable:
                # Argo tries again for ever: the group never starts, and the template stays Running.
                self.group = None
                return
            except _GroupError as error:
                self._fail(group, "Error", str(error))
                return
            if self.todo or self.open:
                if self.todo and self.run.is_full():
                    self.run.wait_for_room(self)
                return
            failed = self._failed(groups[self.at], group)
            if failed is not None:
                self._fail(group, "Failed", f"child '{failed}' failed")
                return
            self.run.nodes.mark(group, "Succeeded")
            self.group = None
            self.at += 1
        self._succeed()

    # Groups.

    def _name(self, number: int) -> str:
        return f"{self.node['name']}[{number}]"

    def _enter(self) -> JSON:
        """The node of the next group, created if it is not there."""
        nodes, name = self.run.nodes, self._name(self.at)
        group = nodes.find(name)
        if group is not None:
            return group
        before = nodes.find(self._name(self.at - 1)) if self.at else None
        if before is None:
            nodes.link(self.node, name)
        elif not before.get("children"):
            nodes.link(before, name)
        else:
            for key in self._outbound(before):
                nodes.link(nodes.by_id[key], name)
        return nodes.create(
            name, "StepGroup", "Running", template="", scope=self.run.scope, boundary=self.node, flag={}
        )

    def _outbound(self, group: JSON) -> list[str]:
        """The ids of the nodes whose child the node after a group becomes."""
        nodes = self.run.nodes
        found = (nodes.outbound(nodes.by_id[child]) for child in group.get("children", ()))
        return list(dict.fromkeys(key for keys in found for key in keys))

    def _expand(self, steps: list[JSON]) -> None:
        """Note what the group has to run (resolveReferences, expandStepGroup)."""
        scope = self._scope()
        resolved: list[JSON] = []
        for step in steps:
            try:
                body = resolve_references(self.run, step, scope)
            except MissingVariable:
                raise
            except (SubstitutionError, WhenError) as error:
                raise _GroupError(f"Failed to resolve references: {error}") from error
            resolved.append(body)
        for step, body in zip(steps, resolved, strict=True):
            name = f"{self._name(self.at)}.{step['name']}"
            if not is_task_group(step):
                self.todo.append(_Item(body, name))
                continue
            try:
                items = items_of(body, scope.resolve)
            except (ItemsError, SubstitutionError, WhenError) as error:
                raise _GroupError(str(error)) from error
            if not items:
                self._skip(body, name, "Skipped", "Skipped, empty params")
            lenient, each = never_runs(body), without_items(body)
            for index, item in enumerate(items):
                own = item_name(step["name"], index, item)
                place = f"{self._name(self.at)}.{own}"
                self.todo.append(_Item({**each, "name": own}, place, item, True, lenient))

    def _failed(self, steps: list[JSON], group: JSON) -> str | None:
        """The id of the first child that makes the group a failure."""
        by_name = {step["name"]: step for step in steps}
        for key in group.get("children", ()):
            child = self.run.nodes.by_id[key]
            name = child["name"][len(group["name"]) + 1 :].partition("(")[0]
            if child["phase"] in UNSUCCESSFUL and not continues(by_name.get(name, {}), child["phase"]):
                return str(key)
        return None

    # Steps.

    def _start(self, group: JSON) -> None:
        """Start steps until a limit is reached (executeStepGroup)."""
        while self.todo and self._start_one(group, self.todo[0]):
            self.todo.popleft()

    def _start_one(self, group: JSON, what: _Item) -> bool:
        nodes = self.run.nodes
        node = nodes.find(what.name)
        if node is not None and fulfilled(node):
            return True
        step = what.step
        if what.of_group:
            step = expand(step, what.item, self._scope().resolve, what.lenient)
        if node is None:
            try:
                if not should_execute(step.get("when", "")):
                    self._skip(step, what.name, "Skipped", f"when '{step['when']}' evaluated false")
                    return True
            except WhenError as error:
                self._skip(step, what.name, "Error", str(error))
                raise _GroupError(str(error)) from error
        call = self._call(step, what.name)
        if self.run.is_blocked(call, node):
            return False
        if node is None:
            nodes.link(group, what.name)
        started = self._execute(call)
        if started is not None and not fulfilled(started):
            self.open += 1
        return True

    def _execute(self, call: Call) -> JSON | None:
        try:
            return self.run.execute(call)
        except CallError as error:
            reason = f"step group deemed errored due to child {call.name} error: {error}"
            raise _GroupError(reason) from error

    def _call(self, step: JSON, name: str) -> Call:
        self.number += 1
        return Call(
            name,
            step.get("template", ""),
            arguments_of(step),
            self,
            self.number,
            (*self.path, self.at, self.number),
            self.call.depth + 1,
            self.node,
            step["name"],
            self.call.on_exit,
            kind="steps",
        )

    def _skip(self, step: JSON, name: str, phase: str, message: str) -> None:
        """A step that ends without having run."""
        if self.run.nodes.find(name) is None:
            assert self.group is not None
            self.run.nodes.link(self.group, name)
            self.run.create_unexecuted(self._call(step, name), "Skipped", phase, message)

    def _scope(self) -> TaskScope:
        """`steps.*` of the groups that are over."""
        return TaskScope(self.run, self._node_of, "steps.")

    def _node_of(self, name: str) -> JSON | None:
        """The node of a step of a group that is over; that of a step with items is a group of these."""
        nodes = self.run.nodes
        for number in range(self.at):
            if any(step["name"] == name for step in self.template["steps"][number]):
                place = f"{self._name(number)}.{name}"
                node, group = nodes.find(place), nodes.find(self._name(number))
                if node is not None or group is None:
                    return node
                children = [nodes.by_id[key] for key in group.get("children", ())]
                items = [
                    child["id"]
                    for child in children
                    if child["name"].startswith(place + "(") and child["type"] != "Skipped"
                ]
                return {"type": "TaskGroup", "children": items}
        return None

    # The whole.

    def _value(self, tag: str) -> str | None:
        if not tag.startswith("steps."):
            return self.run.globals.resolve(tag)
        name, _, rest = tag[len("steps.") :].partition(".")
        node = self._node_of(name)
        value = None if node is None else task_value(self.run, node, rest)
        return None if value is ABSENT else value

    def _succeed(self) -> None:
        self._set_outbound()
        missing = collect_outputs(self.node, self.template, self._value)
        if missing is not None:
            self._close("Error", self.call.complaint(missing))
        else:
            self._close("Succeeded", None)

    def _fail(self, group: JSON, phase: str, message: str) -> None:
        self.run.nodes.mark(group, phase, message)
        self._set_outbound()
        self._close("Failed", message)

    def _set_outbound(self) -> None:
        """Set the nodes whose child the next node becomes: those of the last group (updateOutboundNodes)."""
        last = self.run.nodes.find(self._name(min(self.at, len(self.template["steps"]) - 1)))
        outbound = [] if last is None else self._outbound(last)
        if outbound:
            self.node["outboundNodes"] = outbound
        else:
            self.node.pop("outboundNodes", None)

    def _close(self, phase: str, message: str | None) -> None:
        self.run.nodes.mark(self.node, phase, message)
        self.run.forget(self, self.node)
        self.run.tell(self.call.owner, self.call.key, self.node)
