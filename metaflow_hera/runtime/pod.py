"""The life of a pod: register the run if it is the first, run the task, store the logs, exit."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from metaflow_hera.metaflow_api.commands import run_command
from metaflow_hera.metaflow_api.datastore import MAX_ATTEMPTS, TaskStore
from metaflow_hera.metaflow_api.decorator import FINISHED_ENV
from metaflow_hera.metaflow_api.settings import load_pod_settings
from metaflow_hera.runtime.arguments import init_arguments, step_arguments, take_parameters
from metaflow_hera.runtime.child import ended_by, run_forked
from metaflow_hera.runtime.logs import TaskLogs
from metaflow_hera.runtime.task import PARAMETERS_STEP, PARAMETERS_TASK, PodTask


def main(said: Sequence[tuple[float, str]] = ()) -> int:
    """Run this pod's task and return the exit code.

    `said` holds what the bootstrap printed, with the times: the first lines of the task's log.
    """
    settings = load_pod_settings()
    task = PodTask.from_environment(os.environ)
    store = TaskStore(task.flow, os.environ["METAFLOW_CODE_DS"], settings.datastore_root)
    # Argo counts from 0 again when a whole run is retried; the datastore knows of the attempts before.
    attempt = max(task.argo_retries, store.attempts(task.run_id, task.step, task.task_id))
    if attempt >= MAX_ATTEMPTS:
        sys.exit(
            f"Task {task.run_id}/{task.step}/{task.task_id} has had {attempt} attempts, and Metaflow "
            f"allows {MAX_ATTEMPTS}: start a new run with mfhera trigger."
        )
    os.environ["METAFLOW_RETRY_COUNT"] = str(attempt)
    os.environ["PYTHONUNBUFFERED"] = "x"
    parameters = take_parameters()
    # Absolute, since a step may change the working folder.
    finished = Path(".metaflow", "finished").absolute()
    os.environ[FINISHED_ENV] = str(finished)

    logs = TaskLogs(
        Path(".logs").absolute(),
        lambda files: store.save_logs(task.run_id, task.step, task.task_id, attempt, files),
    )
    for at, line in said:
        logs.add("stdout", line.encode(), at)
    logs.add("stdout", b"Task is starting.")

    def work() -> int:
        # The run is registered by a process of its own: Metaflow's state is not made for two commands.
        if task.step == settings.graph.start and not store.is_done(
            task.run_id, PARAMETERS_STEP, PARAMETERS_TASK
        ):
            pid = os.fork()
            if pid == 0:
                os.environ.update(parameters)
                os._exit(run_command(settings.script, init_arguments(task, settings)))
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if code:
                return code if code > 0 else 128 - code
        return run_command(settings.script, step_arguments(task, settings, store, attempt))

    code = run_forked(work, logs)
    if (reason := ended_by(code)) is not None:
        logs.note(reason)
    elif code == 0 and not finished.exists():
        logs.note(
            f"Step {task.step} ended before it was finished, by sys.exit, os._exit or a return without "
            "self.next(): no step after it can run."
        )
        code = 1
    logs.close()
    return code
