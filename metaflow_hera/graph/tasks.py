"""Task ids and the tasks whose data a task starts from, all known before anything runs."""

from __future__ import annotations

from collections.abc import Callable

from metaflow_hera.graph.steps import FOREACH, JOIN, Graph

Path = tuple[int, ...]
"""The index in each foreach around a task, outermost first: (0, 3) is item 3 of item 0."""


def task_id(step: str, path: Path) -> str:
    """The id of a step's task: `train`, or `train-0-3` inside two foreachs.

    Never a bare number: Metaflow's metadata providers take those for ids of their own.
    """
    return "-".join([step, *map(str, path)])


def parse_path(text: str) -> Path:
    """The path that a manifest writes as `-0-3`; empty text is the empty path."""
    return tuple(int(index) for index in text.split("-")[1:])


def input_tasks(
    graph: Graph, step: str, path: Path, cardinality: Callable[[str, Path], int]
) -> list[tuple[str, Path]]:
    """The tasks that precede a task: (step, path) pairs in the order in which Metaflow gives them.

    `cardinality(step, path)` tells how many items a foreach task found; only a join of a foreach asks.
    The first step of a flow has none.
    """
    sources = graph.into[step]
    if graph[step].kind == JOIN and graph[split := graph.split_of_join(step)].kind == FOREACH:
        items = range(cardinality(split, path))
        return [(source, (*path, index)) for index in items for source in sources]
    return [(source, path[: len(graph.foreachs_around(source))]) for source in sources]


def split_index(graph: Graph, step: str, path: Path) -> int | None:
    """The index of the item for a task that is the first in the body of a foreach, else None."""
    opened = any(graph[source].kind == FOREACH for source in graph.into[step])
    return path[-1] if opened and path else None
