"""One attempt of a task: forked, its logs stored while it runs, and how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaflow_hera.metaflow_api.commands import run_command
from metaflow_hera.metaflow_api.datastore import MAX_ATTEMPTS, RunStore
from metaflow_hera.metaflow_api.decorator import FINISHED_ENV
from metaflow_hera.metaflow_api.settings import PodSettings
from metaflow_hera.runtime.arguments import init_arguments, step_arguments
from metaflow_hera.runtime.child import ended_by, run_forked
from metaflow_hera.runtime.logs import TaskLogs
from metaflow_hera.runtime.task import PodTask


class Attempts:
    """Makes attempts of this pod's tasks.

    `parameters` are the run's, as Metaflow's `init` reads them; `said` are lines, with their times, that
    begin the log of the first attempt.
    """

    def __init__(
        self,
        settings: PodSettings,
        store: RunStore,
        parameters: Mapping[str, str],
        said: Sequence[tuple[float, str]],
    ) -> None:
        self.settings = settings
        self.store = store
        self._parameters = parameters
        self._said = list(said)
        # Absolute, since a step may change the working folder.
        self._finished = Path(".metaflow", "finished").absolute()
        self._logs = Path(".logs").absolute()
        os.environ[FINISHED_ENV] = str(self._finished)
        os.environ["PYTHONUNBUFFERED"] = "x"

    def run(self, task: PodTask, attempt: int, earlier: int) -> int:
        """Make an attempt and return its exit code.

        `earlier` is how many of the attempts before were made before the whole run was retried.
        """
        if attempt >= MAX_ATTEMPTS:
            sys.exit(
                f"Task {self.store.pathspec(task.key)} has had {attempt} attempts, and Metaflow allows "
                f"{MAX_ATTEMPTS}: start a new run with mfhera trigger."
            )
        os.environ["METAFLOW_RETRY_COUNT"] = str(attempt)
        self._finished.unlink(missing_ok=True)
        logs = TaskLogs(self._logs, lambda files: self.store.save_logs(task.key, attempt, files))
        for at, line in self._said:
            logs.add("stdout", line.encode(), at)
        self._said.clear()
        logs.add("stdout", b"Task is starting.")
        code = run_forked(lambda: self._work(task, attempt, earlier), logs)
        if (reason := ended_by(code)) is not None:
            logs.note(reason)
        elif code == 0 and not self._finished.exists():
            logs.note(
                f"Step {task.step} ended before it was finished, by sys.exit, os._exit or a return without "
                "self.next(): no step after it can run."
            )
            code = 1
        logs.close()
        return code

    def _work(self, task: PodTask, attempt: int, earlier: int) -> int:
        """What the forked child does: register the run if this is its first task, then run the step."""
        settings = self.settings
        # The run is registered by a process of its own: Metaflow's state is not made for two commands.
        if task.step == settings.graph.start and not self.store.is_registered():
            pid = os.fork()
            if pid == 0:
                os.environ.update(self._parameters)
                os._exit(run_command(settings.script, init_arguments(task, settings)))
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if code:
                return code if code > 0 else 128 - code
        return run_command(settings.script, step_arguments(task, settings, self.store, attempt, earlier))
