"""Task ids, and the tasks whose data a task starts from: known before anything runs, except for choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from metaflow_hera.graph.steps import FOREACH, SWITCH, Graph

Path = tuple[int, ...]
"""The index in each foreach around a task, outermost first: (0, 3) is item 3 of item 0."""


@dataclass(frozen=True)
class TaskKey:
    """Which task of a run: a step, the indices in the foreachs around it, and the iteration of a loop."""

    step: str
    path: Path = ()
    iteration: int | None = None

    @property
    def task_id(self) -> str:
        """The task's id: `train`, `train-0-3` inside two foreachs, `refine-0_2` in iteration 2.

        Never a bare number, which would be mistaken for an id that somebody else assigned.
        """
        place = "-".join([self.step, *map(str, self.path)])
        return place if self.iteration is None else f"{place}_{self.iteration}"


class RunSoFar(Protocol):
    """What a run's tasks have stored so far."""

    def cardinality(self, task: TaskKey) -> int:
        """How many items a foreach task found."""

    def ended(self, tasks: Sequence[TaskKey]) -> Sequence[TaskKey]:
        """Those of the tasks that have succeeded."""

    def choice(self, task: TaskKey) -> str:
        """The step that a switch's task chose."""

    def last_iteration(self, loop: TaskKey) -> TaskKey | None:
        """The last iteration that succeeded of a loop's task (given without one); None before the first."""


def parse_path(text: str) -> Path:
    """The path that is written as `-0-3`; empty text is the empty path."""
    return tuple(int(index) for index in text.split("-")[1:])


def task_key(step: str, task_id: str) -> TaskKey:
    """The task of a step that has this id."""
    path, _, iteration = task_id.removeprefix(step).partition("_")
    return TaskKey(step, parse_path(path), int(iteration) if iteration else None)


def input_tasks(graph: Graph, task: TaskKey, run: RunSoFar) -> list[TaskKey]:
    """The tasks that precede a task, in the order in which a step gets them.

    The first step of a flow has none. `run` is asked what the graph leaves open: how many items a foreach
    had, how many iterations a loop had, and, where several steps may lead here, which of them did.
    """
    if task.iteration:
        return [TaskKey(task.step, task.path, task.iteration - 1)]
    joined = graph.joined(task.step)
    paths = [task.path]
    if joined and joined.kind == FOREACH:
        foreachs = _taken(graph, joined.roots[0], [task.path], run)
        paths = [(*task.path, item) for foreach in foreachs for item in range(run.cardinality(foreach))]
    return _taken(graph, task.step, paths, run)


def split_index(graph: Graph, task: TaskKey) -> int | None:
    """The index of the item for a task that is the first in the body of a foreach, else None."""
    opened = any(graph[source].kind == FOREACH for source in graph.into[task.step])
    return task.path[-1] if opened and not task.iteration else None


def _taken(graph: Graph, step: str, paths: Sequence[Path], run: RunSoFar) -> list[TaskKey]:
    """The tasks from which the run came to a step, on each of the paths.

    Nothing is asked where there is only one way: a step runs when all before it have succeeded.
    """
    found: list[TaskKey | None] = []
    for path, source in product(paths, graph.into[step]):
        task = TaskKey(source, path[: len(graph.bodies_around(source))])
        found.append(run.last_iteration(task) if graph[source].loops else task)
    tasks = [task for task in found if task is not None]
    if all(len(group) == 1 for group in graph.ways_into(step)):
        return tasks
    return [task for task in run.ended(tasks) if graph[task.step].kind != SWITCH or run.choice(task) == step]
