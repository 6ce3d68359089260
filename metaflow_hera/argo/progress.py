"""The steps of a run, and how far the tasks of each are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metaflow_hera.argo.objects import arguments_of, inputs_of, is_attempt
from metaflow_hera.argo.shared_pods import FAILED, TaskFailure, TaskRetry, items_of, shared_tasks
from metaflow_hera.contract.attempts import attempt_in
from metaflow_hera.contract.manifest import ITEMS, PATH, STEP
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.ranges import how_many

FINISHED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
NOT_STARTED = "Not started"
DEPENDS = re.compile(r"([\w-]+)\.[A-Z]\w+")
"""In an expression such as `a.Succeeded || b.Skipped`, the names."""


@dataclass
class StepProgress:
    """A step and its tasks so far.

    `depth` is the number of foreachs around it. `phases` counts the tasks by Argo's phase; `expected`
    is how many there should be, as far as that is known; `not_started` is how many of these will never
    start, since the run has ended or what comes before them has failed. `retries` are the tasks that have
    failed so far and are tried again. `shares_pods` says whether its pods run several tasks each. Times are
    as Argo writes them.
    """

    name: str
    depth: int
    phases: dict[str, int] = field(default_factory=dict)
    expected: int | None = None
    attempts: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    failures: list[TaskFailure] = field(default_factory=list)
    not_started: int = 0
    retries: list[TaskRetry] = field(default_factory=list)
    shares_pods: bool = False

    @property
    def tasks(self) -> int:
        """How many tasks have been created."""
        return sum(self.phases.values())

    @property
    def failed(self) -> int:
        """How many tasks have failed; `failures` may leave out some that share a pod."""
        return sum(self.phases.get(phase, 0) for phase in FAILED)

    @property
    def done(self) -> int:
        """How many tasks have ended, one way or another."""
        return sum(self.phases.get(phase, 0) for phase in FINISHED)

    @property
    def phase(self) -> str:
        """The step in a word: Waiting before its first task, Skipped if a switch passed it by.

        "Not started" if a failure, or the end of the run, keeps all its tasks from starting. Tasks that
        only wait for a place make it Pending, however many have ended.
        """
        if not self.phases:
            if self.not_started and self.not_started >= (self.expected or 0):
                return NOT_STARTED
            return "Waiting" if self.expected != 0 else "Skipped"
        for phase in ("Error", "Failed"):
            if self.phases.get(phase):
                return phase
        if self.done < max(self.tasks, (self.expected or 0) - self.not_started):
            waits = self.phases.get("Pending") and not self.phases.get("Running")
            return "Pending" if waits else "Running"
        return "Succeeded"


def progress(status: JSON) -> Sequence[StepProgress]:
    """The steps of a run in the order in which they may run, from the status of its workflow."""
    nodes: Mapping[str, JSON] = status.get("nodes") or {}
    known = _steps(status)
    steps = {step.name: StepProgress(step.name, step.depth) for step in known}
    items: dict[str, int] = {}
    for node in nodes.values():
        _count(node, nodes, steps, status)
        for output in (node.get("outputs") or {}).get("parameters") or ():
            if output["name"] == ITEMS and output.get("value") and not is_attempt(node):
                foreach = inputs_of(node).get(STEP, "")
                items[foreach] = items.get(foreach, 0) + how_many(json.loads(output["value"]))
    opened: dict[str, dict[str, None]] = {}  # the foreachs that lead to a step: several may share a body
    for step in known:
        if step.foreach:
            opened.setdefault(step.name, {})[step.foreach] = None
    passed_by = _what_is_left_out(known, nodes, steps)
    for name, found in steps.items():
        foreachs = opened.get(name)
        found.expected = sum(items.get(each, 0) for each in foreachs) or None if foreachs else 1
        if found.expected is not None:
            found.expected = max(found.tasks, found.expected - passed_by[name])
        if status.get("phase") == "Succeeded":  # what did not run was not chosen by a switch
            found.expected, found.not_started = found.tasks, 0
        elif status.get("phase") in FINISHED:
            whole = max(found.tasks, 1 if found.expected is None else found.expected)
            found.not_started = whole - found.tasks
    return list(steps.values())


def _what_is_left_out(
    known: Sequence[_KnownStep], nodes: Mapping[str, JSON], steps: Mapping[str, StepProgress]
) -> Counter[str]:
    """Note in the steps how many of their tasks will never start; returns how many a switch passed by.

    A task will not start if Argo has left it out, or if the DAG around it has ended without it.
    """
    inside: dict[str, list[_KnownStep]] = {}
    for step in known:
        if not step.is_item:
            inside.setdefault(step.template, []).append(step)
    here: set[tuple[str, str]] = set()
    well: set[tuple[str, str]] = set()
    left_out: dict[tuple[str, str], str] = {}
    for node in nodes.values():
        around = node.get("boundaryID") or ""
        if node["type"] == "Skipped":
            left_out[around, node.get("displayName") or ""] = node.get("phase") or ""
        elif node["type"] in ("Pod", "Retry"):
            here.add((around, inputs_of(node).get(STEP, "")))
        if node.get("phase") == "Succeeded":
            well.add((around, node.get("displayName") or ""))
    passed_by: Counter[str] = Counter()
    for node_id, node in nodes.items():
        if node["type"] != "DAG":
            continue
        for step in inside.get(node.get("templateName") or "", ()):
            if (node_id, step.name) in here:
                continue
            phase = left_out.get((node_id, step.task))
            # Argo also says Skipped of what has a `when` and comes after a failure: nothing chose there.
            if phase == "Skipped" and (not step.after or any((node_id, each) in well for each in step.after)):
                passed_by[step.name] += 1
            elif phase or node.get("phase") in FINISHED:
                steps[step.name].not_started += 1
    return passed_by


def _count(node: JSON, nodes: Mapping[str, JSON], steps: dict[str, StepProgress], status: JSON) -> None:
    inputs = inputs_of(node)
    step = steps.get(inputs.get(STEP, ""))
    if step is None or node["type"] not in ("Pod", "Retry"):
        return
    shared = items_of(node)
    if node["type"] == "Pod":
        step.attempts += shared is None
        if node.get("phase") not in (None, "", "Pending"):  # before, it waits for a place
            step.started_at = min(filter(None, (step.started_at, node.get("startedAt"))), default=None)
        step.finished_at = max(filter(None, (step.finished_at, node.get("finishedAt"))), default=None)
    if is_attempt(node):
        return
    phase = _phase(node, nodes, status)
    if shared is not None:
        step.shares_pods = True
        tasks = shared_tasks(node, shared, phase, _pods(node, nodes), _reason(node, nodes))
        for each, count in tasks.phases.items():
            step.phases[each] = step.phases.get(each, 0) + count
        step.failures += tasks.failures
        step.attempts += tasks.attempts
        step.not_started += tasks.not_started
        step.retries += tasks.retries
        return
    step.phases[phase] = step.phases.get(phase, 0) + 1
    if phase not in FINISHED and (retry := _retry(node, nodes, inputs.get(PATH, ""), phase)):
        step.retries.append(retry)
    if phase in ("Failed", "Error"):
        failure = TaskFailure(inputs.get(PATH, ""), _reason(node, nodes), _attempts(node, nodes))
        step.failures.append(failure)


def _phase(node: JSON, nodes: Mapping[str, JSON], status: JSON) -> str:
    """The phase of a task: Pending also while an attempt waits for a place, which Argo calls Running.

    So it is between two attempts.

    A run that was ended from outside leaves nodes as they were: their tasks have failed with it.
    """
    phase = node.get("phase") or "Pending"
    if status.get("phase") in FINISHED and phase not in FINISHED:
        return "Failed"
    if node["type"] == "Retry" and phase == "Running":
        last = nodes.get((node.get("children") or [""])[-1], {})
        return "Pending" if last.get("phase") in ("", "Pending", *FAILED) else phase
    return phase


def _retry(node: JSON, nodes: Mapping[str, JSON], path: str, phase: str) -> TaskRetry | None:
    """What is known of the failed attempts of a task that has not ended; None if it has had none."""
    failed = [pod for pod in _pods(node, nodes) if pod.get("phase") in FAILED]
    if not failed:
        return None
    attempts = max(len(failed), attempt_in(failed[-1].get("message") or "") or 0)
    why = str(failed[-1].get("message") or failed[-1]["phase"])
    return TaskRetry(path, why, attempts, runs=phase == "Running")


def _attempts(node: JSON, nodes: Mapping[str, JSON]) -> int:
    """How many attempts a task has had, also before the whole run was retried as far as its pods tell."""
    count = 0
    for pod in _pods(node, nodes):
        count = max(count + 1, attempt_in(pod.get("message") or "") or 0)
    return count


def _pods(node: JSON, nodes: Mapping[str, JSON]) -> list[JSON]:
    """The nodes of a task's pods: those below its Retry node, or itself."""
    if node["type"] == "Pod":
        return [node]
    return [nodes.get(each, {}) for each in node.get("children") or () if is_attempt(nodes.get(each, {}))]


def _reason(node: JSON, nodes: Mapping[str, JSON]) -> str:
    """Why a task failed: for a retried one, why its last attempt failed."""
    last = nodes.get((node.get("children") or [""])[-1], {}) if node["type"] == "Retry" else {}
    return str(last.get("message") or node.get("message") or node.get("phase"))


@dataclass(frozen=True)
class _KnownStep:
    """A step: the foreachs around it, the DAG template and its task there, and if that runs for each item.

    `after` are the tasks beside it that it depends on.
    """

    name: str
    depth: int
    foreach: str | None
    template: str
    task: str
    is_item: bool
    after: Sequence[str]


def _steps(status: JSON) -> Sequence[_KnownStep]:
    """Each step, how many foreachs are around it and which is the innermost, in the order of the DAGs."""
    stored = status.get("storedWorkflowTemplateSpec") or {}
    found = stored.get("templates") or (status.get("storedTemplates") or {}).values()
    templates = {template["name"]: template for template in found}

    def walk(name: str, depth: int, foreach: str | None) -> Iterator[_KnownStep]:
        tasks = (templates.get(name, {}).get("dag") or {}).get("tasks") or ()
        step_of: dict[str, str] = {}
        for task in tasks:
            arguments = arguments_of(task)
            if STEP in arguments:
                step_of[task["name"]] = arguments[STEP]
                yield _KnownStep(
                    arguments[STEP],
                    depth,
                    foreach,
                    name,
                    task["name"],
                    bool(task.get("withParam")),
                    DEPENDS.findall(task.get("depends") or ""),
                )
            elif ITEMS in arguments:  # the items of a foreach: "{{tasks.NAME.outputs.parameters.items}}"
                source = step_of.get(arguments[ITEMS].split(".")[1])
                yield from walk(task["template"], depth + 1, source)
            else:
                yield from walk(task["template"], depth, foreach)

    return list(walk(stored.get("entrypoint", "flow"), 0, None))
