"""Scopes: which steps run together, once for each item of which foreach.

The flow itself is a scope, and so is the body of each foreach. Inside a scope any graph is flat:
tasks and whole inner scopes that wait for each other, whatever splits, switches and joins there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from metaflow_hera.graph.steps import FOREACH, SWITCH, Graph, Step


@dataclass(frozen=True, eq=False)
class Task:
    """A step, run once in its scope.

    `needs` says what it waits for: it runs once an edge of each group was taken. A join has a group for
    each branch of its split, any other step one group; the first task of a scope has none.
    """

    step: Step
    needs: tuple[tuple[Edge, ...], ...]


@dataclass(frozen=True, eq=False)
class Foreach:
    """A foreach: its body runs once for each item that `task` found.

    Two foreachs that lead to the same step, where a switch chooses between them, have one body.
    """

    task: Task
    body: Scope


@dataclass(frozen=True)
class Edge:
    """A way into a task: taken when `source` succeeded and, if it is a switch, chose `target`."""

    source: Member
    target: str

    @property
    def is_choice(self) -> bool:
        """Whether the source chooses the next step."""
        return isinstance(self.source, Task) and self.source.step.kind == SWITCH


@dataclass(frozen=True, eq=False)
class Scope:
    """What runs together: the members in an order in which each comes after those it waits for.

    `path` names the foreach bodies around it by their first steps, outermost first: empty for the flow.
    """

    path: tuple[str, ...]
    members: tuple[Member, ...]


Member = Union[Task, Foreach]


def scopes(graph: Graph) -> Scope:
    """The scope of the whole flow, with the scopes of its foreachs inside."""
    inside: dict[tuple[str, ...], list[Step]] = {}
    for step in graph:
        inside.setdefault(graph.bodies_around(step.name), []).append(step)

    def scope(path: tuple[str, ...]) -> Scope:
        members: list[Member] = []
        tasks: dict[str, Task] = {}
        foreachs: dict[str, list[Foreach]] = {}
        bodies: dict[str, Scope] = {}

        def edges(source: str, target: str) -> list[Edge]:
            """The edges from one step to another: one, unless several foreachs share a body."""
            around = graph.bodies_around(source)
            sources: list[Task] | list[Foreach] = (
                [tasks[source]] if around == path else foreachs[around[len(path)]]
            )
            return [Edge(member, target) for member in sources]

        def needs(step: str) -> tuple[tuple[Edge, ...], ...]:
            # An edge from outside the scope is what the scope as a whole waits for: the first step of
            # a body follows the foreach step, which is outside the body.
            groups = [
                [edge for source in group if is_inside(source) for edge in edges(source, step)]
                for group in graph.ways_into(step)
            ]
            return tuple(tuple(dict.fromkeys(group)) for group in groups if group)

        def is_inside(source: str) -> bool:
            return graph.bodies_around(source)[: len(path)] == path

        for step in inside[path]:
            task = tasks[step.name] = Task(step, needs(step.name))
            members.append(task)
            if step.kind == FOREACH:
                (root,) = step.out
                if root not in bodies:
                    bodies[root] = scope((*path, root))
                foreach = Foreach(task, bodies[root])
                foreachs.setdefault(root, []).append(foreach)
                members.append(foreach)
        return Scope(path, tuple(members))

    return scope(())
