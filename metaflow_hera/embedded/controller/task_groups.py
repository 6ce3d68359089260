"""A running TaskGroup: the node of a task with items, and one task per item, started as limits allow."""

from __future__ import annotations

from typing import Any, Protocol

from metaflow_hera.embedded.controller.execution import Call, CallError, Execution, Path
from metaflow_hera.embedded.controller.items import (
    ItemsError,
    item_name,
    item_values,
    members,
    read_items,
    without_items,
)
from metaflow_hera.embedded.controller.nodes import UNSUCCESSFUL, fulfilled
from metaflow_hera.embedded.expressions.gojson import Raw
from metaflow_hera.embedded.expressions.variables import MissingVariable, Resolve, substitute, tags
from metaflow_hera.embedded.expressions.when import WhenError, should_execute
from metaflow_hera.embedded.json_object import JSON


class Around(Protocol):
    """The DAG that a TaskGroup is in.

    Attributes:
        run: what all frames of the workflow share.
        node: the DAG's node.
        due: the ranks of TaskGroups to look at in the DAG's next step.
    """

    run: Execution
    node: JSON
    due: set[int]

    def item_ended(self, rank: int) -> None:
        """An item of the TaskGroup of this rank is over."""

    def call_of(self, task: JSON, name: str, owner: Any, key: int, place: Path) -> Call:
        """The call that a resolved task makes."""


class TaskGroup:
    """The items of one task. The list is shared; an item becomes a task when it starts."""

    __slots__ = ("dag", "items", "left", "lenient", "next", "node", "rank", "scope", "task")

    def __init__(
        self, dag: Around, rank: int, task: JSON, items: list[Raw], node: JSON, scope: Resolve
    ) -> None:
        self.dag = dag
        self.rank = rank
        self.task = without_items(task)
        self.items = items
        self.node = node
        self.scope = scope
        self.lenient = never_runs(task)
        self.next = 0
        self.left = len(items)

    def ended(self, key: int, node: JSON) -> None:
        """The task of an item is over."""
        self.left -= 1
        self.dag.item_ended(self.rank)

    def go_on(self, call: Call) -> None:
        """The task of an item has what it waited for."""
        left = self.left
        self._execute(call, call.name)
        if self.left != left:
            self.dag.item_ended(self.rank)

    def advance(self) -> bool:
        """Start items until a limit is reached; True when all are over and the node says so."""
        while self.next < len(self.items):
            if not self._start(self.next):
                return False
            self.next += 1
        if self.left:
            return False
        if self.dag.run.held:  # checked again when the workflow resumes
            self.dag.due.add(self.rank)
            return False
        self._finish()
        return True

    def _finish(self) -> None:
        phase = "Succeeded"
        nodes = self.dag.run.nodes
        for index, item in enumerate(self.items):
            node = nodes.find(self._name(index, item))
            if node is not None and node["phase"] in UNSUCCESSFUL:
                phase = node["phase"]
        nodes.mark(self.node, phase)

    def _name(self, index: int, item: Raw) -> str:
        return f"{self.dag.node['name']}.{item_name(self.task['name'], index, item)}"

    def _start(self, index: int) -> bool:
        """Start one item, or continue with its node; False when a limit holds it back."""
        run = self.dag.run
        item = self.items[index]
        name = self._name(index, item)
        node = run.nodes.find(name)
        if node is None and run.held:
            return False
        if node is not None and fulfilled(node):
            self.left -= 1
            return True
        own = item_name(self.task["name"], index, item)
        task = {**expand(self.task, item, self.scope, self.lenient), "name": own}
        call = self.dag.call_of(task, name, self, index, (self.rank, index))
        if node is None:
            run.nodes.link(self.node, name, at=self._place(index))
            try:
                if not should_execute(task.get("when", "")):
                    run.create_unexecuted(
                        call, "Skipped", "Skipped", f"when '{task['when']}' evaluated false"
                    )
                    self.left -= 1
                    return True
            except WhenError as error:
                run.create_unexecuted(call, "Skipped", "Error", str(error))
                self.left -= 1
                return True
        return self._execute(call, name)

    def _execute(self, call: Call, name: str) -> bool:
        run = self.dag.run
        try:
            node = run.execute(call)
        except CallError as error:
            failed = run.nodes.find(name)
            assert failed is not None
            run.nodes.mark(failed, "Error", call.complaint(str(error)))
            self.left -= 1
            return True
        if node is None:
            return False
        if fulfilled(node):
            self.left -= 1
        return True

    def _place(self, index: int) -> int | None:
        """Where among the children the item belongs: a retried workflow has gaps."""
        return index if index < len(self.node.get("children", ())) - 1 else None


def items_of(task: JSON, scope: Resolve) -> list[Raw]:
    """The items of a task whose references are replaced (expandTask, expandStep).

    Raises ItemsError for what is not a list, unless the task would not run, and SubstitutionError.
    """
    try:
        items = read_items(task)
    except ItemsError:
        if not should_execute(task.get("when", "")):
            return []
        raise
    check_items(task, items, scope)
    return items


def never_runs(task: JSON) -> bool:
    """Whether no item of a task will run, whatever it is, so that its tags need not resolve."""
    try:
        return not should_execute(task.get("when", ""))
    except WhenError:
        return False


def expand(task: JSON, item: Raw, scope: Resolve, lenient: bool) -> JSON:
    """The task of an item (processItem in operator.go).

    Raises SubstitutionError for an unknown tag, unless `lenient`.
    """
    values = item_values(item)

    def resolve(tag: str) -> str | None:
        return values[tag] if tag in values else _known(scope, tag)

    expanded: JSON = substitute(task, resolve, require=not lenient)
    return expanded


def check_items(task: JSON, items: list[Raw], scope: Resolve) -> None:
    """Expand all items before any of them starts, as Argo does. Raises SubstitutionError.

    Items that give the same variables fail or succeed together: one of each kind is tried.
    """
    body = without_items(task)
    lenient = never_runs(task)
    each = any(tag.startswith("=") for tag in tags(body))
    tried: set[frozenset[str]] = set()
    for item in items:
        kind = frozenset(members(item))
        if each or kind not in tried:
            tried.add(kind)
            expand(body, item, scope, lenient)


def _known(scope: Resolve, tag: str) -> str | None:
    try:
        return scope(tag)
    except MissingVariable:
        return None
