"""The logs of a run: of ended tasks from the datastore, of running tasks from their pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from metaflow_hera.argo import following, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.pods import PodTask, pod_tasks, task_of_pods
from metaflow_hera.argo.run import Run, as_run, may_have_been_retried
from metaflow_hera.argo.run_names import check_flow, flow_and_workflow
from metaflow_hera.contract.manifest import RUN_PREFIX, run_id
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.ranges import started
from metaflow_hera.errors import ArgoNotFound, ArgoUnreachable, NotFoundError, UsageError
from metaflow_hera.graph.tasks import TaskKey, task_key
from metaflow_hera.metaflow_api.read.tasklogs import STREAMS, StoredLogs
from metaflow_hera.operations.attempt_numbers import SKEW, Attempt, numbered, pod_of
from metaflow_hera.operations.own_lines import MOST_LINES, without_own

TRIES = 3
"""How often to read a workflow to find the task of a pod."""
FEW = 3
"""How many tasks a message names."""

Note = Callable[[str], None]
"""Receives remarks besides the lines."""


@dataclass(frozen=True)
class Line:
    """A line that a task printed.

    `attempt` counts from 0. A line that comes from a pod, and not from the datastore, has no `stream` and no
    `time`; for a loop, whose iterations share a pod, `task` is that of the pod.
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

    `task` is a task's id (`train-0-3`) or its place among the items of the foreachs (`0-3`). `tail` is how
    many lines from the end are wanted: hardly more are read of each stream of an attempt. `all_lines` keeps
    what Argo's executor and the pod wrote of themselves.
    """

    run: str
    step: str | None = None
    task: str | None = None
    attempt: int | None = None
    streams: Sequence[str] = STREAMS
    tail: int | None = None
    all_lines: bool = False

    @classmethod
    def parse(
        cls,
        run: str,
        place: str | None,
        *,
        attempt: int | None = None,
        streams: Sequence[str] = STREAMS,
        tail: int | None = None,
        all_lines: bool = False,
    ) -> Wanted:
        """From RUN and STEP[/TASK], or from a pathspec that names all. Raises UsageError for other texts."""
        parts = run.strip("/").split("/")
        at = next((number for number, part in enumerate(parts) if part.startswith(RUN_PREFIX)), None)
        if at is None and len(parts) == 1:
            at = 0  # the name of a workflow
        behind = parts[(at or 0) + 1 :] + (place.strip("/").split("/") if place else [])
        # If nothing has a run's prefix, the first of several words may be a flow or a run.
        if at is None or at > 1 or len(behind) > 2 or not all([*parts, *behind]):
            raise UsageError(
                f"{' '.join(filter(None, (run, place)))!r} is not a place in a run: "
                "give RUN, RUN STEP or RUN STEP/TASK, such as argo-parameterflow-x7k2p start. "
                "A run's id begins with argo-."
            )
        step, task = [*behind, None, None][:2]
        return cls("/".join(parts[: at + 1]), step, task, attempt, streams, tail, all_lines)

    @property
    def place(self) -> str:
        """The step or the task that is wanted, in words."""
        return f"{self.step}/{self.task}" if self.task else f"step {self.step}"

    def has(self, task: TaskKey) -> bool:
        """Whether lines of this task are wanted."""
        if self.step not in (None, task.step):
            return False
        place = "-".join(map(str, task.path))
        pod = TaskKey(task.step, task.path).task_id
        suffix = "" if task.iteration is None else f"_{task.iteration}"
        return self.task in (None, place, pod, place + suffix, pod + suffix)

    def may_have(self, each: PodTask) -> bool:
        """Whether lines of a task of these pods, or of an iteration if it is a loop, are wanted."""
        if each.items is not None:
            return any(map(self.has, each.tasks))
        task = each.task
        if self.has(task) or self.task is None:
            return self.has(task)
        return Wanted(self.run, self.step, self.task.rpartition("_")[0]).has(task)


def lines(client: ArgoClient, wanted: Wanted, note: Note = lambda _: None) -> Iterator[Line]:
    """The lines that a run's tasks have printed so far, task by task, in the order of the steps.

    With `wanted.tail`, all of the last so many are among them. `note` is told what is left out. Raises
    NotFoundError if there is no such step, task or attempt, ArgoNotFound if neither Argo nor the datastore
    knows the run.
    """
    if wanted.all_lines:
        yield from _lines(client, wanted, note)
        return
    if wanted.tail is not None:
        wanted = replace(wanted, tail=wanted.tail + MOST_LINES)
    yield from without_own(_lines(client, wanted, note))


def _lines(client: ArgoClient, wanted: Wanted, note: Note) -> Iterator[Line]:
    try:
        workflow, run = _found(client, wanted)
    except ArgoNotFound:
        yield from _of_a_run_that_argo_forgot(client, wanted)
        return

    def printed(pod: str, tail: int | None) -> Iterator[str]:
        found = client.logs(run.workflow, pod, tail=tail, executors=wanted.all_lines)
        return (text for _, text in found)

    from_pods = None if run.archived else printed  # with the workflow its pods have gone
    reader = _Reader(StoredLogs(run.pathspec), wanted, from_pods, _skew(client))
    for each in _chosen(workflow, wanted):
        yield from reader.task(each)
    _tell_fault(reader.stored, note)
    reader.check(run.run_id)
    if reader.unsplit:
        note(
            f"Of {_some(reader.unsplit)} only what is stored so far is shown, "
            "since a pod's log has both streams in one. Without --stdout and --stderr all of it is shown."
        )


def follow(client: ArgoClient, wanted: Wanted, note: Note = lambda _: None) -> Iterator[Line]:
    """What `lines` has, then new lines until the run has ended.

    Raises what `lines` raises. It waits for a server that is away for a while, and tells `note` so.
    """
    found = _followed(client, wanted, note)
    yield from found if wanted.all_lines else without_own(found)


def _followed(client: ArgoClient, wanted: Wanted, note: Note) -> Iterator[Line]:
    workflow, run = _found(client, wanted)
    reader = _Reader(StoredLogs(run.pathspec), wanted, None, _skew(client))
    for each in _chosen(workflow, wanted, may_come=not run.ended):
        yield from reader.task(each)
    _tell_fault(reader.stored, note)
    if not run.archived:
        yield from _coming(client, workflow, reader, note)
    reader.check(run.run_id)


def _skew(client: ArgoClient) -> timedelta:
    return timedelta(0) if client.target.embedded else SKEW


def _tell_fault(stored: StoredLogs, note: Note) -> None:
    if stored.fault:
        note(f"Metaflow's data cannot be read, so only what Argo has is shown: {stored.fault}")


def _found(client: ArgoClient, wanted: Wanted) -> tuple[JSON, Run]:
    flow, name = flow_and_workflow(wanted.run)
    workflow = client.workflow(name)
    run = as_run(workflow)
    check_flow(run, flow)
    return workflow, run


def _coming(client: ArgoClient, workflow: JSON, reader: _Reader, note: Note) -> Iterator[Line]:
    name, wanted = workflow["metadata"]["name"], reader.wanted
    pods = _Pods(client, workflow, reader.stored)
    seen: dict[str, int] = {}  # how many lines of each pod came before the stream broke off
    for look in following.follow(client, name, steps=False, note=note):
        again: dict[str, int] = {}
        try:
            printed = client.logs(name, follow=not look.ended, executors=wanted.all_lines)
            for pod, text in printed:
                again[pod] = again.get(pod, 0) + 1
                if pod in reader.told or again[pod] <= seen.get(pod, 0):
                    continue
                found = pods.task(pod, text)
                seen[pod] = again[pod]
                if found is None or not wanted.may_have(PodTask(found[0], (), ended=False)):
                    continue
                task, attempt = found
                reader.attempts.add(attempt)
                if wanted.attempt in (None, attempt):
                    yield Line(task.step, task.task_id, attempt, text)
        except ArgoUnreachable:
            if look.ended:
                raise


class _Pods:
    """Which task each pod of a workflow runs; for new pods the workflow is read again.

    The more that costs, the less often it is done: lines wait meanwhile, and new pods gather.
    """

    def __init__(self, client: ArgoClient, workflow: JSON, stored: StoredLogs) -> None:
        self._client = client
        self._name = workflow["metadata"]["name"]
        self._stored = stored
        self._known = task_of_pods(workflow)
        self._retried = may_have_been_retried(workflow)
        self._not_before = 0.0
        self._asked: dict[str, int] = {}
        self._found: dict[str, tuple[TaskKey, int] | None] = {}

    def task(self, pod: str, line: str) -> tuple[TaskKey, int] | None:
        """The task and the attempt that a line of a pod's belongs to; None for a pod that runs no step.

        A pod of several tasks must be asked for each line, in their order.
        """
        each = self._task(pod)
        if each is not None and each.items is not None:
            if (begins := started(line)) is not None:
                self._found[pod] = task_key(each.task.step, begins[0]), begins[1]
            return self._found.get(pod, (each.tasks[0], 0))
        if pod not in self._found:
            # Metaflow's numbers differ from Argo's only after a retry of the whole run.
            begun = self._stored.begun(each.task) if each is not None and self._retried else ()
            attempts = () if each is None else numbered(each.pods, begun, _skew(self._client))
            numbers = [one.number for one in attempts if one.pod is not None and one.pod.name == pod]
            self._found[pod] = (each.task, numbers[0]) if each is not None and numbers else None
        return self._found[pod]

    def _task(self, pod: str) -> PodTask | None:
        while pod not in self._known:
            # A pod of a node that a retry removed never becomes known.
            self._asked[pod] = self._asked.get(pod, 0) + 1
            if self._asked[pod] > TRIES:
                self._known[pod] = None
                break
            time.sleep(max(0.0, self._not_before - time.monotonic()))
            before = time.monotonic()
            workflow = self._client.workflow(self._name)
            self._known.update(task_of_pods(workflow))
            self._retried = may_have_been_retried(workflow)
            self._not_before = time.monotonic() + max(0.5, 4 * (time.monotonic() - before))
        return self._known[pod]


class _Reader:
    """Reads what tasks have printed, each attempt from where it is: the datastore, or else its pod.

    `printed` returns the lines of a pod, or the last so many; None leaves out what the datastore does not
    have. `told` are the pods whose lines came from the datastore, `attempts` the attempt numbers of the
    wanted tasks, `unsplit` the tasks of which one stream is wanted, while only a pod has all lines.
    """

    def __init__(
        self,
        stored: StoredLogs,
        wanted: Wanted,
        printed: Callable[[str, int | None], Iterator[str]] | None,
        skew: timedelta,
    ) -> None:
        self.stored = stored
        self.wanted = wanted
        self.told: set[str] = set()
        self.attempts: set[int] = set()
        self.unsplit: list[str] = []
        self._printed = printed
        self._skew = skew
        self._seen: list[TaskKey] = []
        self._one_stream = len(wanted.streams) < len(STREAMS)

    def task(self, each: PodTask) -> Iterator[Line]:
        """The lines of a task, or of the iterations that a loop has had."""
        if each.items is not None:
            yield from self._of_items(each)
            return
        iterations = list(self.stored.iterations(each.task))
        self._seen += iterations or [each.task]
        if not iterations or iterations == [each.task]:
            if self.wanted.has(each.task):
                for attempt in numbered(each.pods, self.stored.begun(each.task), self._skew):
                    yield from self.attempt(each.task, attempt)
            return
        # A pod's log has all its iterations: while it runs they cannot be told apart.
        together = not (each.ended or self._one_stream)
        begun = [
            (iteration, one, pod_of(one, each.pods, self._skew))
            for iteration in iterations
            for one in self.stored.begun(iteration)
        ]
        of_iterations = {at for _, _, at in begun}
        for number, pod in enumerate(each.pods):
            if together or (number not in of_iterations and self.wanted.has(each.task)):
                yield from self.attempt(each.task, Attempt(number, pod, begun=False))
        for iteration, one, at in begun:
            if self.wanted.has(iteration) and (not together or at is None):
                its_pod = None if at is None else each.pods[at]
                yield from self.attempt(iteration, Attempt(one.number, its_pod, begun=True))

    def _of_items(self, each: PodTask) -> Iterator[Line]:
        """The lines of tasks that share pods: pod by pod, and where one runs, as it printed them."""
        tasks = each.tasks
        self._seen += tasks
        begun: dict[int | None, list[tuple[TaskKey, int]]] = {}
        for task in filter(self.wanted.has, tasks):
            for one in self.stored.begun(task):
                begun.setdefault(pod_of(one, each.pods, self._skew), []).append((task, one.number))
        for at, pod in (*enumerate(each.pods), (None, None)):
            known = begun.get(at, [])
            self.attempts.update(number for _, number in known)
            if pod is None or self._one_stream or (known and pod.ended):
                for task, number in known:
                    yield from self.attempt(task, Attempt(number, pod, begun=True), shared=True)
            elif self._printed is not None:
                yield from self._of_pod(each.tasks[0], at or 0, self._printed(pod.name, None))

    def _of_pod(self, first: TaskKey, attempt: int, texts: Iterator[str]) -> Iterator[Line]:
        """The lines of a pod that runs several tasks: each is that of the task named last.

        What comes before, also in a pod that came to no task, is the first task's.
        """
        task, number = first, attempt
        for text in texts:
            if (begins := started(text)) is not None:
                task, number = task_key(first.step, begins[0]), begins[1]
            if self.wanted.has(task) and self.wanted.attempt in (None, number):
                self.attempts.add(number)
                yield Line(task.step, task.task_id, number, text)

    def attempt(self, task: TaskKey, attempt: Attempt, *, shared: bool = False) -> Iterator[Line]:
        """The lines of one attempt, if it is wanted; `shared` says that its pod runs other tasks as well."""
        number, pod = attempt.number, attempt.pod
        self.attempts.add(number)
        if self.wanted.attempt not in (None, number):
            return
        if self._one_stream and pod is not None and not pod.ended:
            self.unsplit.append(f"{task.step}/{task.task_id}")
        if attempt.begun and (self._one_stream or pod is None or pod.ended):
            found = self.stored.lines(task, number, self.wanted.tail, self.wanted.streams)
            first = next(found, None)
            if first is not None or (self._one_stream and any(self.stored.lines(task, number, last=1))):
                if pod is not None:
                    self.told.add(pod.name)
                for line in chain([first] if first else (), found):
                    yield Line(task.step, task.task_id, number, line.text, line.stream, line.time)
                return
        if pod is None:
            return
        if self._one_stream:
            if pod.ended:
                self.unsplit.append(f"{task.step}/{task.task_id}")
        elif self._printed is not None:
            texts = self._printed(pod.name, None if shared else self.wanted.tail)
            for text in _own(task, number, texts) if shared else texts:
                yield Line(task.step, task.task_id, number, text)

    def check(self, run: str) -> None:
        """Raise NotFoundError if there is no such iteration, or no such attempt, in what was read."""
        wanted = self.wanted
        if self._seen and not self.attempts and not any(map(wanted.has, self._seen)):
            raise _no_task(run, wanted, self._seen)
        if wanted.attempt is not None and wanted.attempt not in self.attempts:
            where = f" of {wanted.place}" if wanted.step else ""
            there = ", ".join(map(str, sorted(self.attempts))) or "none yet"
            raise NotFoundError(f"{run} has no attempt {wanted.attempt}{where}; there are: {there}.")


def _own(task: TaskKey, attempt: int, texts: Iterator[str]) -> Iterator[str]:
    """The lines of one task in the log of a pod that runs several, each after a line that names it.

    What comes before the first of these lines is the first task's.
    """
    before: list[str] = []
    current: tuple[str, int] | None = None
    for text in texts:
        if (begins := started(text)) is not None:
            if current is None and begins == (task.task_id, attempt):
                yield from before
            current = begins
        if current is None:
            before.append(text)
        elif current == (task.task_id, attempt):
            yield text


def _chosen(workflow: JSON, wanted: Wanted, *, may_come: bool = False) -> Sequence[PodTask]:
    run = as_run(workflow)
    steps = [step.name for step in run.steps]
    if wanted.step is not None and steps and wanted.step not in steps:
        raise NotFoundError(f"{run.run_id} has no step {wanted.step}; it has {', '.join(steps)}.")
    tasks = list(pod_tasks(workflow))
    chosen = [each for each in tasks if wanted.may_have(each)]
    if chosen or may_come or wanted.step is None:
        return chosen
    if not run.ended:
        raise NotFoundError(
            f"{run.run_id} has not begun {wanted.place}: mfhera status {run.run_id} shows how far it is."
        )
    others = [task for each in tasks if each.task.step == wanted.step for task in each.tasks]
    if others:
        raise _no_task(run.run_id, wanted, others)
    raise NotFoundError(f"{run.run_id} has ended as {run.phase}, and step {wanted.step} was not run.")


def _no_task(run: str, wanted: Wanted, others: Sequence[TaskKey]) -> NotFoundError:
    there = _some([task.task_id for task in others])
    return NotFoundError(f"{run} has no task {wanted.place}; step {wanted.step} has {there}.")


def _some(names: Sequence[str]) -> str:
    """Some of the names, and how many more there are."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _of_a_run_that_argo_forgot(client: ArgoClient, wanted: Wanted) -> Iterator[Line]:
    flow, workflow = flow_and_workflow(wanted.run)
    run = run_id(workflow)
    stored = StoredLogs(f"{flow}/{run}")
    tasks = stored.tasks() if flow else None
    if tasks is None:
        hint = "" if flow else f"; if it was deleted there, name its flow as well: FLOW/{run}"
        near = "" if flow else runs.did_you_mean(client, workflow)
        raise ArgoNotFound(f"{client.target} has no run {run}: mfhera runs lists those it has{hint}.{near}")
    chosen = [task for task in tasks if wanted.has(task)]
    if not chosen:
        others = [task for task in tasks if task.step == wanted.step]
        if others:
            raise _no_task(wanted.run, wanted, others)
        steps = _some([task.step for task in tasks])
        raise NotFoundError(f"{wanted.run} has no {wanted.place}; it has the steps {steps}.")
    reader = _Reader(stored, wanted, None, timedelta(0))
    for task in chosen:
        for each in stored.begun(task):
            yield from reader.attempt(task, Attempt(each.number, None, begun=True))
    reader.check(run)
