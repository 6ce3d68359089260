"""The turns of a loop, a step that may choose itself: one pod, a task of its own for each turn.

Argo's controller allows calls within calls to a depth of 100 and keeps a node for each, so a loop of
templates would end at a hundred turns.
"""

from __future__ import annotations

import os
import signal
import time
from itertools import count
from pathlib import Path

from metaflow_hera.graph.tasks import OUT_OF_ATTEMPTS
from metaflow_hera.metaflow_api.decorators.internal import OUTPUT_ENV
from metaflow_hera.runtime.attempts import Attempts
from metaflow_hera.runtime.task import PodTask

ASKED_TO_END = (128 + signal.SIGTERM, 128 + signal.SIGINT)


def run_turns(task: PodTask, attempts: Attempts) -> int:
    """Run a loop turn after turn until it chooses another step; return the exit code.

    A pod that takes the place of a lost one goes on after the last turn that ended well.
    """
    output = Path(os.environ[OUTPUT_ENV])
    for number in count():
        turn = task.turn(number)
        if attempts.store.ended([turn.key]):
            choice = attempts.store.choice(turn.key)
        else:
            code = _run_turn(turn, attempts)
            if code:
                return code
            choice = output.read_text()
        if choice != task.step:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(choice)
            return 0
    raise AssertionError("turns have no end but a choice")


def _run_turn(turn: PodTask, attempts: Attempts) -> int:
    """Attempt a turn as often as its step may be retried, each turn anew."""
    retries = attempts.settings.steps[turn.step].retries
    known = attempts.store.attempts(turn.key)
    # A pod that Argo starts for the first time has nothing to do with the attempts it finds.
    earlier = known if turn.argo_retries == 0 else 0
    code = 1
    for attempt in range(known, earlier + retries.total + 1):
        if attempt > known:
            print(f"Turn {turn.key.turn} of {turn.step} failed; trying it again.", flush=True)
            time.sleep(60 * retries.minutes_between)
        code = attempts.run(turn, attempt, earlier)
        if code == 0 or code in ASKED_TO_END:
            return code
    return OUT_OF_ATTEMPTS if retries.total else code
