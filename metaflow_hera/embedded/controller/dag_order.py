"""What a DAG template says, worked out once: order, dependencies, and who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from metaflow_hera.embedded.expressions.depends import parse_depends
from metaflow_hera.embedded.json_object import JSON


class UnknownTarget(LookupError):
    """A DAG is to reach a task that it does not have; the message is Argo's."""


class Task(NamedTuple):
    """A task by its rank, the order in which Argo comes to it."""

    rank: int
    name: str
    depends: tuple[int, ...]
    rule: str
    dependents: tuple[int, ...]
    ancestors: int


class Plan(NamedTuple):
    """The tasks in the order of executeDAGTask: each target by name, after what it depends on."""

    tasks: tuple[Task, ...]
    targets: tuple[int, ...]
    rank: Mapping[str, int]
    # By the name as a rule writes it, with underscores for dashes.
    rank_in_rule: Mapping[str, int]


def make_plan(tasks: list[JSON], target: str) -> Plan:
    """Plan the tasks of a DAG; `target` names the tasks to reach, "" for those none depends on."""
    by_name = {task["name"]: task for task in tasks}

    def continue_on(name: str) -> JSON:
        return by_name.get(name, {}).get("continueOn") or {}

    depends = {name: parse_depends(task, continue_on) for name, task in by_name.items()}
    needed = {name for entry in depends.values() for name in entry.tasks}
    targets = target.split() if target else sorted(name for name in by_name if name not in needed)
    order: dict[str, int] = {}
    for name in targets:
        if name not in by_name:  # a tag has come out as something else
            raise UnknownTarget(f"target {name} does not exist")
        _visit(name, {key: entry.tasks for key, entry in depends.items()}, order)
    dependents: list[list[int]] = [[] for _ in order]
    ancestors: list[int] = []
    for name, rank in order.items():
        mask = 0
        for other in depends[name].tasks:
            dependents[order[other]].append(rank)
            mask |= ancestors[order[other]] | 1 << order[other]
        ancestors.append(mask)
    planned = tuple(
        Task(
            rank,
            name,
            tuple(order[other] for other in depends[name].tasks),
            depends[name].rule,
            tuple(dependents[rank]),
            ancestors[rank],
        )
        for name, rank in order.items()
    )
    in_rule = {name.replace("-", "_"): rank for name, rank in reversed(order.items())}
    return Plan(planned, tuple(order[name] for name in targets), order, in_rule)


def _visit(start: str, depends: Mapping[str, tuple[str, ...]], order: dict[str, int]) -> None:
    """Depth first, without recursion: a chain of tasks may be longer than Python's stack."""
    stack = [(start, iter(depends[start]))]
    entered = {start}
    while stack:
        name, rest = stack[-1]
        for other in rest:
            if other not in order and other not in entered:
                entered.add(other)
                stack.append((other, iter(depends[other])))
                break
        else:
            stack.pop()
            order.setdefault(name, len(order))
