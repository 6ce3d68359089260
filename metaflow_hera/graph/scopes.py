"""Scopes: which steps run together, once for each item of which foreach.

The flow itself is a scope, and so is the body of each foreach. Inside a scope any graph is flat:
tasks and whole inner scopes that wait for each other, whatever splits and joins there are.
"""

from __future__ import annotations

from dataclasses import dataclass

from metaflow_hera.graph.steps import FOREACH, Graph, Step


@dataclass(frozen=True, eq=False)
class Task:
    """One step run once in its scope. `after` are the members of the scope it waits for."""

    step: Step
    after: tuple[Member, ...]


@dataclass(frozen=True, eq=False)
class Fan:
    """The body of a foreach, run once for each item that the task before it found."""

    foreach: Task
    body: Scope


@dataclass(frozen=True)
class Scope:
    """What runs together: the members in an order in which each comes after those it waits for.

    `path` names the foreach steps around it, outermost first: empty for the flow itself.
    """

    path: tuple[str, ...]
    members: tuple[Member, ...]


Member = Task | Fan


def scopes(graph: Graph) -> Scope:
    """The scope of the whole flow, with the scopes of its foreachs inside."""
    inside: dict[tuple[str, ...], list[Step]] = {}
    for step in graph:
        inside.setdefault(graph.foreachs_around(step.name), []).append(step)

    def scope(path: tuple[str, ...]) -> Scope:
        members: list[Member] = []
        tasks: dict[str, Task] = {}
        fans: dict[str, Fan] = {}

        def member_of(source: str) -> Member:
            """The member of this scope that a step belongs to: itself, or the fan it is inside of."""
            around = graph.foreachs_around(source)
            return tasks[source] if around == path else fans[around[len(path)]]

        for step in inside[path]:
            # What comes from outside of the scope is what the scope as a whole waits for. The first
            # steps of a body follow the foreach step, which is outside of the body.
            sources = [s for s in graph.into[step.name] if graph.foreachs_around(s)[: len(path)] == path]
            after = tuple(dict.fromkeys(member_of(source) for source in sources))
            task = tasks[step.name] = Task(step, after)
            members.append(task)
            if step.kind == FOREACH:
                fan = fans[step.name] = Fan(task, scope((*path, step.name)))
                members.append(fan)
        return Scope(path, tuple(members))

    return scope(())
