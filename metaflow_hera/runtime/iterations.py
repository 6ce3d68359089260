"""The iterations of a loop, a step that may choose itself: one pod, a task of its own for each iteration.

Argo's controller allows nested calls to a depth of 100 and keeps a node for each, so a loop of templates
would end after a hundred iterations.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from metaflow_hera.contract.environment import ITERATIONS, OUTPUT
from metaflow_hera.contract.manifest import OUT_OF_ATTEMPTS
from metaflow_hera.metaflow_api.pod.run_store import RunStore
from metaflow_hera.runtime.attempts import Attempts
from metaflow_hera.runtime.task import PodTask

EARLIER = "earlier"
"""The note of an attempt after a retry of the whole run: how many attempts there were before."""
ASKED_TO_END = (128 + signal.SIGTERM, 128 + signal.SIGINT)


def run_iterations(task: PodTask, attempts: Attempts) -> int:
    """Run a loop iteration after iteration until it chooses another step; return the exit code.

    A pod that takes the place of a lost one goes on after the last iteration that ended well.
    """
    output = Path(os.environ[OUTPUT])
    number, choice = 0, task.step
    last = attempts.store.last_iteration(task.key)
    if last is not None and last.iteration is not None:
        attempts.complete(task.iteration(last.iteration))
        number, choice = last.iteration + 1, attempts.store.choice(last)
    while choice == task.step:
        code = _run_iteration(task.iteration(number), attempts)
        if code:
            return code
        number, choice = number + 1, output.read_text()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(choice)
    if ITERATIONS in os.environ:  # a run of an older manifest may have been retried with this code
        Path(os.environ[ITERATIONS]).write_text(str(number))
    return 0


def _run_iteration(task: PodTask, attempts: Attempts) -> int:
    """Attempt an iteration as often as its step may be retried; each iteration has all retries."""
    retries = attempts.settings.steps[task.step].retries
    known = attempts.store.attempts(task.key)
    earlier = _made_before_the_retry(task, known, attempts.store)
    code = 1
    for attempt in range(known, earlier + retries.total + 1):
        if attempt > known:
            print(f"Iteration {task.key.iteration} of {task.step} failed; trying it again.", flush=True)
            time.sleep(60 * retries.minutes_between)
        code = attempts.run(task, attempt, earlier).code
        if code == 0 or code in ASKED_TO_END:
            return code
    return OUT_OF_ATTEMPTS if retries.total else code


def _made_before_the_retry(task: PodTask, known: int, store: RunStore) -> int:
    """How many of an iteration's known attempts were made before the whole run was retried.

    A pod that Argo starts for the first time finds only those. One that takes the place of a lost one asks
    what that has left.
    """
    if task.argo_retries == 0:
        if known:
            store.leave(task.key, known, EARLIER, str(known))
        return known
    return int(store.latest(task.key, 0, EARLIER) or 0) if known else 0
