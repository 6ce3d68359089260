"""The logs of a run: of what has ended from the datastore, of what runs from its pods."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from metaflow_hera.argo import runs
from metaflow_hera.argo.client import JSON, ArgoClient
from metaflow_hera.argo.pods import PodTask, pod_tasks, task_of_pods
from metaflow_hera.errors import ArgoNotFound, ArgoUnreachable, UsageError
from metaflow_hera.graph.tasks import TaskKey
from metaflow_hera.metaflow_api.tasklogs import STREAMS, StoredLogs

TRIES = 3
"""How often a workflow is asked which task a pod has."""


@dataclass(frozen=True)
class Line:
    """A line that a task printed.

    `attempt` counts from 0. A line that comes from a pod, and not from the datastore, has no `stream` and no
    `time`, and of a loop, whose turns share a pod, `task` is that pod's.
    """

    step: str
    task: str
    attempt: int
    text: str
    stream: str | None = None
    time: datetime | None = None


@dataclass(frozen=True)
class Wanted:
    """Which lines of which run: all, or those of a step, a task, an attempt, a stream.

    `task` is a task's id (`train-0-3`) or its place among the items of the foreachs (`0-3`).
    """

    run: str
    step: str | None = None
    task: str | None = None
    attempt: int | None = None
    streams: Sequence[str] = STREAMS

    @classmethod
    def parse(cls, run: str, place: str | None, **more: object) -> Wanted:
        """From RUN and STEP[/TASK], or from a pathspec that names all. Raises UsageError for other texts."""
        parts = run.strip("/").split("/")
        at = next((number for number, part in enumerate(parts) if part.startswith(runs.PREFIX)), None)
        if at is None and len(parts) == 1:
            at = 0  # the name of a workflow
        behind = parts[(at or 0) + 1 :] + (place.strip("/").split("/") if place else [])
        # Where nothing has a run's prefix, the first word of several may be a flow or a run.
        if at is None or at > 1 or len(behind) > 2 or not all([*parts, *behind]):
            raise UsageError(
                f"{' '.join(filter(None, (run, place)))!r} is no place in a run: give RUN, RUN STEP or RUN "
                "STEP/TASK, such as argo-parameterflow-x7k2p start. A run's id begins with argo-."
            )
        step, task = [*behind, None, None][:2]
        return cls("/".join(parts[: at + 1]), step, task, **more)  # type: ignore[arg-type]

    def has(self, task: TaskKey) -> bool:
        """Whether lines of this task are wanted; of a loop's pod, whether those of a turn are."""
        if self.step not in (None, task.step):
            return False
        place = "-".join(map(str, task.path))
        turn = "" if task.turn is None else str(task.turn)
        names = {task.task_id, place, f"{place}_{turn}"}
        if self.task is None or self.task in names:
            return True
        return task.turn is None and self.task.rpartition("_")[0] in {task.task_id, place}


def lines(client: ArgoClient, wanted: Wanted) -> Iterator[Line]:
    """The lines that a run's tasks have printed until now, task by task, in the order of the steps.

    Raises UsageError where there is no such step or task, ArgoNotFound where nobody knows the run.
    """
    try:
        workflow, run = _found(client, wanted)
    except ArgoNotFound:
        yield from _of_a_run_that_argo_forgot(client, wanted)
        return
    stored = StoredLogs(run.pathspec)
    chosen = _chosen(workflow, wanted)
    for each in chosen:
        if each.ended and stored.attempts(next(stored.turns(each.task), each.task)):
            yield from _stored(stored, each.task, wanted)
        else:
            yield from _printed(client, workflow, each, wanted)


def follow(client: ArgoClient, wanted: Wanted) -> Iterator[Line]:
    """What `lines` has, then the lines that come, until the run has ended.

    Raises what `lines` does; a server that is away for a while is waited for.
    """
    workflow, run = _found(client, wanted)
    stored = StoredLogs(run.pathspec)
    shown: set[str] = set()  # the pods of tasks that the datastore has told of
    for each in _chosen(workflow, wanted, may_come=True):
        if each.ended and stored.attempts(next(stored.turns(each.task), each.task)):
            yield from _stored(stored, each.task, wanted)
            shown.update(each.pods)
    yield from _coming(client, run.workflow, workflow, wanted, shown)


def _found(client: ArgoClient, wanted: Wanted) -> tuple[JSON, runs.Run]:
    flow, name = runs.flow_and_workflow(wanted.run)
    workflow = client.workflow(name)
    run = runs.as_run(workflow)
    runs.check_flow(run, flow)
    return workflow, run


def _coming(client: ArgoClient, name: str, workflow: JSON, wanted: Wanted, shown: set[str]) -> Iterator[Line]:
    pods = _Pods(client, workflow)
    seen: dict[str, int] = {}  # how many lines of each pod came before the stream broke off
    for look in runs.follow(client, name, steps=False):
        again: dict[str, int] = {}
        try:
            for pod, text in client.logs(name, follow=not look.ended):
                again[pod] = again.get(pod, 0) + 1
                if pod in shown or again[pod] <= seen.get(pod, 0):
                    continue
                seen[pod] = again[pod]
                found = pods.task(pod)
                if found is None:
                    continue
                task, attempt = found
                if wanted.has(task) and wanted.attempt in (None, attempt):
                    yield Line(task.step, task.task_id, attempt, text)
        except ArgoUnreachable:
            if look.ended:
                raise


class _Pods:
    """Which task each pod of a workflow has; the workflow is asked again for pods that are new.

    The more that costs, the rarer it is: lines wait meanwhile, and pods come together.
    """

    def __init__(self, client: ArgoClient, workflow: JSON) -> None:
        self._client = client
        self._name = workflow["metadata"]["name"]
        self._known = task_of_pods(workflow)
        self._not_before = 0.0
        self._asked: dict[str, int] = {}

    def task(self, pod: str) -> tuple[TaskKey, int] | None:
        """The task and the attempt of a pod; None for one that runs no step."""
        while pod not in self._known:
            # A pod of a node that a retry took away is never known.
            self._asked[pod] = self._asked.get(pod, 0) + 1
            if self._asked[pod] > TRIES:
                self._known[pod] = None
                break
            time.sleep(max(0.0, self._not_before - time.monotonic()))
            before = time.monotonic()
            self._known.update(task_of_pods(self._client.workflow(self._name)))
            self._not_before = time.monotonic() + max(0.5, 4 * (time.monotonic() - before))
        return self._known[pod]


def _chosen(workflow: JSON, wanted: Wanted, *, may_come: bool = False) -> Sequence[PodTask]:
    run = runs.as_run(workflow)
    steps = [step.name for step in run.steps]
    if wanted.step is not None and steps and wanted.step not in steps:
        raise UsageError(f"{run.run_id} has no step {wanted.step}; it has {', '.join(steps)}.")
    chosen = [each for each in pod_tasks(workflow) if wanted.has(each.task)]
    if not chosen and not may_come and wanted.step is not None:
        what = f"{wanted.step}/{wanted.task}" if wanted.task else f"step {wanted.step}"
        raise UsageError(
            f"{run.run_id} has not begun {what}: mfhera status {run.run_id} shows how far it is."
        )
    return chosen


def _stored(stored: StoredLogs, task: TaskKey, wanted: Wanted) -> Iterator[Line]:
    for each in stored.turns(task):
        if not wanted.has(each):
            continue
        count = stored.attempts(each)
        for attempt in range(count) if wanted.attempt is None else (wanted.attempt,):
            for line in stored.lines(each, attempt, wanted.streams):
                yield Line(each.step, each.task_id, attempt, line.text, line.stream, line.time)


def _printed(client: ArgoClient, workflow: JSON, each: PodTask, wanted: Wanted) -> Iterator[Line]:
    """The lines of a task's pods, as far as Argo still has them."""
    for attempt, pod in enumerate(each.pods):
        if wanted.attempt in (None, attempt):
            for _, text in client.logs(workflow["metadata"]["name"], pod):
                yield Line(each.task.step, each.task.task_id, attempt, text)


def _of_a_run_that_argo_forgot(client: ArgoClient, wanted: Wanted) -> Iterator[Line]:
    flow, _, run = wanted.run.rpartition("/")
    stored = StoredLogs(f"{flow}/{run}")
    tasks = stored.tasks() if flow else None
    if tasks is None:
        hint = "" if flow else f"; if it is deleted there, name its flow, too: FLOW/{run}"
        raise ArgoNotFound(f"{client.target} has no run {run}: mfhera runs lists those it has{hint}.")
    chosen = [task for task in tasks if wanted.has(task)]
    if not chosen:
        raise UsageError(f"{wanted.run} has no {wanted.step}{'/' + wanted.task if wanted.task else ''}.")
    for task in chosen:
        yield from _stored(stored, task, wanted)
