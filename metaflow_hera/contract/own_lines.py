"""The lines that a pod writes of itself into a task's log, before those of the task."""

from __future__ import annotations

import re

from metaflow_hera.contract.ranges import started

SETTING_UP = frozenset(
    {"Setting up task environment.", "Downloading code package...", "Code package downloaded."}
)
"""Lines of `runtime.bootstrap`, whose text stands in the manifest by itself."""

STARTS_ANEW = "The pod starts anew."
"""The end of a line on why a pod that was forked cannot use what was imported."""

TASK_STARTS = "Task is starting."
"""The line of a task with a pod of its own."""
_ITERATION = re.compile(r"Iteration \d+ of \S+ is starting\.")


def iteration_starts(number: int, step: str) -> str:
    """The line with which an iteration of a loop begins."""
    return f"Iteration {number} of {step} is starting."


def is_set_up(line: str) -> bool:
    """Whether a line tells how a pod comes to its task."""
    return line in SETTING_UP or line.endswith(STARTS_ANEW)


def is_start(line: str) -> bool:
    """Whether a task, or an iteration, begins after a line."""
    return line == TASK_STARTS or started(line) is not None or _ITERATION.fullmatch(line) is not None
