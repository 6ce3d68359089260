"""Run as a script: writes the tasks of a run as JSON, as Metaflow's Client API reads them.

The key of a task is `step/index/...`, its indices those of the foreachs around it, and `:turn` in a
loop. Each value is that of an artifact, as repr, so that two runs can be compared.
"""

from __future__ import annotations

import json
import sys

from metaflow import Run, namespace

OWN = {"_graph_info", "_configs_processed"}
"""What tells of where a run ran, not of what it did."""
STATE = ("_foreach_stack", "_iteration_stack", "_transition", "_foreach_var", "_foreach_num_splits")
"""What Metaflow keeps of a task's place in the graph. The Client API lists none of it, and has it by name."""

namespace(None)
tasks = {}
run = Run(sys.argv[1])
for step in run:
    if step.id == "_parameters":
        continue
    assert list(step), f"{step.id} has no tasks"
    for task in step:
        artifacts = {artifact.id: artifact.data for artifact in [*task, *(task[name] for name in STATE)]}
        stack = artifacts["_foreach_stack"] or []
        key = "/".join([step.id, *(str(frame.index) for frame in stack)])
        key = ":".join([key, *map(str, artifacts["_iteration_stack"] or [])])
        assert key not in tasks, key
        tasks[key] = {
            **{name: repr(value) for name, value in artifacts.items() if name not in OWN},
            "finished": task.finished,
            "successful": task.successful,
            "tags": sorted(task.tags),
            "attempt": task.current_attempt,
            "exception": None if task.exception is None else str(task.exception),
        }
json.dump(tasks, sys.stdout)
