"""The tasks of a node whose pods run several of a foreach: as far as these pods have told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metaflow_hera.argo.objects import inputs_of
from metaflow_hera.contract.manifest import PATH, RANGE
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.ranges import Account, beside_account, members, well_so_far

UNTOLD = "It failed."
FAILED = ("Failed", "Error")


@dataclass(frozen=True)
class TaskFailure:
    """A task that failed: its path in the foreachs around it, Argo's message, and its attempts."""

    path: str
    message: str
    attempts: int


@dataclass(frozen=True)
class TaskRetry(TaskFailure):
    """A task that has failed so far and is tried again.

    `runs` says whether that attempt runs by now: None for a task that shares its pod, of which that is not
    known, nor whether it has an attempt left.
    """

    runs: bool | None


@dataclass(frozen=True)
class SharedTasks:
    """The tasks of a node: how many are in each phase, those that failed, and their attempts in all.

    `not_started` is how many have not begun before the node failed, `retries` those that are tried again.
    """

    phases: Mapping[str, int]
    failures: Sequence[TaskFailure]
    attempts: int
    not_started: int
    retries: Sequence[TaskRetry] = ()


def items_of(node: JSON) -> range | None:
    """The items of a foreach whose tasks the pods of a node run; None if it is the node of one task."""
    text = inputs_of(node).get(RANGE)
    return members(text) if text else None


def shared_tasks(node: JSON, items: range, phase: str, pods: Sequence[JSON], reason: str) -> SharedTasks:
    """The tasks of a node, by its phase, its pods in their order, and Argo's reason for a failure."""
    accounts = [Account.read(pod.get("message") or "") for pod in pods]
    told = [account for account in accounts if account is not None]
    last = told[-1] if told else None
    path = inputs_of(node).get(PATH, "")
    size = len(items)
    before, attempts = (min(last.well, size), last.attempts) if last else (0, 0)
    if phase == "Succeeded":
        return SharedTasks({phase: size}, (), attempts + size - before, 0)
    well = before
    if phase not in FAILED:
        well = max(well, *(well_so_far(pod.get("progress") or "", size) for pod in pods), 0)
        running = 1 if phase == "Running" and well < size else 0
        phases = {"Succeeded": well, "Running": running, "Pending": size - well - running}
        failed = [_failure(path, item, last) for item in last.failed] if last and well < size else []
        retries = [TaskRetry(each.path, each.message, each.attempts, runs=None) for each in failed]
        return SharedTasks(_some(phases), (), attempts + well - before + running, 0, retries)
    if last is None or accounts[-1] is None:  # its last pod has not said which of its tasks it ran
        failures = [TaskFailure(f"{path}-{_next(last, items, well)}", reason, len(pods))]
        count = min(1, size - well)
        attempts += count
    else:
        failures = [_failure(path, item, last) for item in last.failed]
        if last.running is not None:
            failures.append(TaskFailure(f"{path}-{last.running}", beside_account(reason), len(pods)))
        count = last.failures + (last.running is not None)
    phases = {"Succeeded": well, phase: count}
    return SharedTasks(_some(phases), failures, attempts, size - well - count)


def _next(last: Account | None, items: range, well: int) -> int:
    """The item whose task a pod that has told nothing would have begun with, by what the one before told."""
    if last is not None and last.failed:
        return min(last.failed)
    if last is not None and last.running is not None:
        return last.running
    return items[min(well, len(items) - 1)]


def _failure(path: str, item: int, account: Account) -> TaskFailure:
    known = (account.reasons or {}).get(item)
    where = f"{path}-{item}"
    return TaskFailure(where, UNTOLD, 1) if known is None else TaskFailure(where, known.reason, known.attempt)


def _some(phases: Mapping[str, int]) -> dict[str, int]:
    return {phase: count for phase, count in phases.items() if count}
