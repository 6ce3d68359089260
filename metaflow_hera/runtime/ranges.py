"""Several tasks of a foreach in one pod, one after the other, each a task of its own (`--splits-per-pod`).

A task that fails does not keep the others from running. It is tried again by the pod that Argo starts in
place of this one, once this one is through: a retry is for what may be wrong with a pod or its machine as
well, Argo keeps the time between two, and nothing waits in a pod meanwhile. That pod runs what has not
ended well. Argo's retry strategy counts pods, so each task's own attempts are counted here, by what the
datastore has of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from metaflow_hera.contract import environment
from metaflow_hera.contract.manifest import KILLED, OUT_OF_ATTEMPTS, TASKS_LEFT
from metaflow_hera.contract.ranges import Account, Failure
from metaflow_hera.metaflow_api.pod.reasons import leave_reason
from metaflow_hera.metaflow_api.pod.run_store import MAX_ATTEMPTS, REASON, RunStore, SoFar
from metaflow_hera.runtime.attempts import Attempts
from metaflow_hera.runtime.task import PodTask

EARLIER = "earlier_range"
"""The note after a retry of the whole run: how many attempts each task of the range had before."""
LOST = "The pod was lost while the task ran."


def run_range(pod: PodTask, items: range, attempts: Attempts) -> int:
    """Run the tasks of a range that have not ended well, as often as their step may be retried.

    Returns the exit code: 0, TASKS_LEFT if a task has an attempt left, else OUT_OF_ATTEMPTS.
    """
    store = attempts.store
    tasks = {item: pod.item(item) for item in items}
    known = dict(zip(items, store.so_far([task.key for task in tasks.values()])))
    earlier = _made_before_the_retry(pod, items, known, store)
    each = attempts.settings.steps[pod.step].retries.total + 1
    most = {item: min(MAX_ATTEMPTS, earlier.get(item, 0) + each) for item in items}
    account = _Account(items, known)
    left = False
    for item, task in tasks.items():
        attempt = known[item].attempts
        if known[item].well:
            if not known[item].noted:
                attempts.complete(task)
                _note_well(store, task, attempt - 1)
            continue
        if attempt >= most[item]:
            account.failed(item, attempt, _why_not(store, task, attempt))
            continue
        account.starts(item)
        ended = attempts.run(task, attempt, earlier.get(item, 0))
        if ended.code == 0:
            _note_well(store, task, attempt)
            account.ended_well()
        else:
            account.failed(item, attempt + 1, ended.reason or "")
            left = left or attempt + 1 < most[item]
        if ended.asked and item != items[-1]:
            return ended.code if ended.code in KILLED else TASKS_LEFT  # whatever the task makes of SIGTERM
    account.over()
    if not account.failures:
        return 0
    return TASKS_LEFT if left else OUT_OF_ATTEMPTS


def _note_well(store: RunStore, task: PodTask, attempt: int) -> None:
    with suppress(Exception):  # a datastore may raise anything; the artifacts say it too
        store.note_well(task.key, attempt)


def _why_not(store: RunStore, task: PodTask, attempts: int) -> str:
    if attempts >= MAX_ATTEMPTS:
        return f"It has had {attempts} attempts, which is all that Metaflow allows."
    return store.latest(task.key, attempts - 1, REASON) or LOST


def _made_before_the_retry(
    pod: PodTask, items: range, known: Mapping[int, SoFar], store: RunStore
) -> Mapping[int, int]:
    """How many attempts tasks had before the whole run was retried; those that are not named had none.

    The first pod that Argo starts finds only those, and notes them for those that take its place.
    """
    first = pod.item(items[0]).key
    if pod.argo_retries == 0:
        counts = {item: found.attempts for item, found in known.items() if found.attempts}
        if counts:
            number = min(known[items[0]].attempts, MAX_ATTEMPTS - 1)
            store.leave(first, number, EARLIER, json.dumps(counts))
        return counts
    if not any(found.attempts for found in known.values()):
        return {}
    noted = json.loads(store.latest(first, 0, EARLIER) or "{}")
    # A first pod that was lost early has noted nothing; no pod makes more than one attempt of a task.
    return {
        item: max(noted.get(str(item), 0), found.attempts - pod.argo_retries) for item, found in known.items()
    }


class _Account:
    """The pod's account of its tasks, in its termination message at any time, and Argo's progress file."""

    def __init__(self, items: range, known: Mapping[int, SoFar]) -> None:
        self._size = len(items)
        self._well = sum(found.well for found in known.values())
        self._attempts = sum(found.attempts for found in known.values())
        self.failures: dict[int, Failure] = {}
        self._path = os.environ.get(environment.MESSAGE)
        self._progress = os.environ.get(environment.PROGRESS_FILE)

    def starts(self, item: int) -> None:
        self._attempts += 1
        self._write(item)

    def ended_well(self) -> None:
        self._well += 1

    def failed(self, item: int, attempt: int, reason: str) -> None:
        self.failures[item] = Failure(attempt, reason)

    def over(self) -> None:
        self._write(None)

    def _write(self, running: int | None) -> None:
        failures = self.failures
        account = Account(
            self._well, self._size, len(failures), list(failures), running, failures, self._attempts
        )
        if self._path:
            leave_reason(Path(self._path), account.message())
        if self._progress:  # Argo knows the message only when the pod has ended
            leave_reason(Path(self._progress), account.progress())
