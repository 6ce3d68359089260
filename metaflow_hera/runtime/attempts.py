"""One attempt of a task: forked, its logs stored while it runs, and how it ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from metaflow_hera.contract import environment
from metaflow_hera.contract.attempts import with_attempt
from metaflow_hera.contract.own_lines import TASK_STARTS, iteration_starts
from metaflow_hera.contract.ranges import starting
from metaflow_hera.errors import MetaflowHeraError, RunFailed
from metaflow_hera.metaflow_api.pod.commands import run_command
from metaflow_hera.metaflow_api.pod.heartbeat import Heartbeats
from metaflow_hera.metaflow_api.pod.metadata import register_end, register_stored
from metaflow_hera.metaflow_api.pod.packaged_settings import DEFAULT_EXECUTABLE, Interpreter, PodSettings
from metaflow_hera.metaflow_api.pod.reasons import leave_reason, make_room, reason_in, words_of
from metaflow_hera.metaflow_api.pod.run_store import MAX_ATTEMPTS, REASON, RunStore
from metaflow_hera.runtime.arguments import init_arguments, step_arguments
from metaflow_hera.runtime.child import Ended, run_forked, signalled
from metaflow_hera.runtime.forking import fork_alone
from metaflow_hera.runtime.interpreter import command, prepare
from metaflow_hera.runtime.logs import TaskLogs
from metaflow_hera.runtime.parallel import ParallelNode
from metaflow_hera.runtime.task import PodTask

TIMEOUT_GRACE = 30.0
"""Seconds that @timeout has to end a task from within, before it is ended from here: @timeout cannot
interrupt code that does not return to Python."""


class Attempts:
    """Makes the attempts of this pod's tasks.

    `parameters` are the run's, as Metaflow's `init` reads them; `said` holds the first lines of the first
    attempt's log, with their times.
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
        # Not in the working folder, which a step may change or remove.
        self._own = Path(tempfile.mkdtemp(prefix="metaflow-hera-"))
        self._finished = self._own / "finished"
        self._reason = self._own / "reason"
        self._inputs = self._own / "inputs"
        self._logs = self._own / "logs"
        os.environ[environment.FINISHED] = str(self._finished)
        os.environ[environment.REASON] = str(self._reason)
        os.environ["PYTHONUNBUFFERED"] = "x"

    def run(self, task: PodTask, attempt: int, earlier: int) -> Ended:
        """Make an attempt, and return how it ended: with a reason, if its exit code is not 0.

        `earlier` is how many attempts were made before the whole run was retried.
        """
        if attempt >= MAX_ATTEMPTS:
            sys.exit(
                f"Task {self.store.pathspec(task.key)} has had {attempt} attempts, and Metaflow allows "
                f"{MAX_ATTEMPTS}: start a new run with mfhera trigger."
            )
        self.store.begin(task.key, attempt)
        os.environ[environment.RETRY_COUNT] = str(attempt)
        self._finished.unlink(missing_ok=True)
        make_room(self._reason)
        logs = TaskLogs(self._logs, lambda files: self.store.save_logs(task.key, attempt, files))
        for at, line in self._said:
            logs.add("stdout", line.encode(), at)
        self._said.clear()
        # Tasks that share a pod share its own log.
        if task.items is not None:
            logs.write("stdout", f"{starting(task.key.task_id, attempt)}\n".encode())
        elif task.key.iteration is None:
            logs.write("stdout", f"{TASK_STARTS}\n".encode())
        else:
            logs.write("stdout", f"{iteration_starts(task.key.iteration, task.step)}\n".encode())
        is_parallel = self.settings.graph[task.step].parallel
        node = ParallelNode(task.key, attempt, self.settings, self.store) if is_parallel else None
        heartbeats = Heartbeats(task.flow, self.settings.metadata, task.run_id, task.key)
        self.store.rest()
        ended = run_forked(
            lambda: self._work(task, attempt, earlier, node),
            logs,
            self._must_stop(task.step, node),
            heartbeats.start,
        )
        heartbeats.stop()
        try:
            os.getcwd()
        except FileNotFoundError:  # the step has removed it, and Metaflow's metadata asks for it
            self._own.mkdir(parents=True, exist_ok=True)
            os.chdir(self._own)
        code, reason = ended.code, ended.reason
        if code == 0 and not self._finished.exists():
            code = 1
            reason = (
                f"Step {task.step} ended before it was finished, "
                "by sys.exit, os._exit or a return without self.next(): no step after it can run."
            )
        own = self._reason_of_the_task() if reason is None else None
        if code and reason is None and own is None:
            reason = (
                f"The task's process ended by itself with exit code {code} and without an exception, "
                "as os._exit does it."
            )
        if reason is not None:
            logs.note(reason)
        logs.close()
        if not code:
            return Ended(0, None, ended.asked)
        self._report(task, attempt, code, str(reason or own), node)
        return Ended(code, str(reason or own), ended.asked)

    def complete(self, task: PodTask) -> None:
        """Register what a task has stored that ended well in a pod before this one.

        That pod may have been lost before it had registered all.
        """
        try:
            stored = self.store.stored(task.key)
            register_stored(
                task.flow, self.settings.metadata, task.run_id, task.key, stored, self.store.place
            )
        except Exception as error:  # a metadata service may raise anything, and the task has ended well
            print(f"The end of a task could not be registered: {words_of(error)}", file=sys.stderr)

    def _work(self, task: PodTask, attempt: int, earlier: int, node: ParallelNode | None) -> int:
        """What the forked child does; if it cannot even start, it leaves the reason for the parent."""
        try:
            return self._run(task, attempt, earlier, node)
        except MetaflowHeraError as error:
            self._leave(str(error))
            print(error, file=sys.stderr)
            return error.exit_code
        except BaseException as error:
            self._leave(words_of(error))
            raise

    def _run(self, task: PodTask, attempt: int, earlier: int, node: ParallelNode | None) -> int:
        """Register the run if this is its first task, then run the step."""
        settings = self.settings
        own = settings.steps[task.step].interpreter
        if own is not None:
            prepare(own)
        if task.step == settings.graph.start and not self.store.is_registered():
            self._register(task, own)
        if node is not None:
            os.environ.update(node.meet())
        arguments = step_arguments(task, settings, self.store, attempt, earlier, self._inputs)
        if own is not None:
            argv = command(own.executable, settings.script, arguments)
            os.execvp(argv[0], argv)
        self.store.rest()  # the step may fork too
        return run_command(settings.script, arguments, self._leave)

    def _register(self, task: PodTask, own: Interpreter | None) -> None:
        """Register the run, in a process of its own: Metaflow's state serves one command only."""
        arguments = init_arguments(task, self.settings)
        if own is not None and own.init_executable != DEFAULT_EXECUTABLE:
            argv = command(own.init_executable, self.settings.script, arguments)
            code = subprocess.run(argv, env={**os.environ, **self._parameters}, check=False).returncode
        else:
            self.store.rest()
            pid = fork_alone()
            if pid == 0:
                os.environ.update(self._parameters)
                os._exit(run_command(self.settings.script, arguments, self._leave))
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            why = signalled(-code) if code < 0 else self._reason_of_the_task() or f"exit code {code}"
            raise RunFailed(f"The run and its parameters could not be registered: {why}")

    def _must_stop(self, step: str, node: ParallelNode | None) -> Callable[[], str | None]:
        """A function that says why a running attempt must end: its time limit, or another node."""
        limit = self.settings.steps[step].time_limit
        end = time.monotonic() + limit + TIMEOUT_GRACE if limit else float("inf")

        def reason() -> str | None:
            if time.monotonic() >= end:
                return f"Step {step} was ended: it went on running after its @timeout of {limit} seconds."
            return node.broken() if node else None

        return reason

    def _leave(self, reason: str) -> None:
        leave_reason(self._reason, reason)

    def _reason_of_the_task(self) -> str | None:
        """The reason that the task itself left for its failure."""
        return reason_in(self._reason)

    def _report(self, task: PodTask, attempt: int, code: int, reason: str, node: ParallelNode | None) -> None:
        """Report a failure to Kubernetes (and so to Argo), the step's other nodes and Metaflow's metadata.

        None of this may change how the task ended, and none keeps another from being done.
        """
        told: list[Callable[[], None]] = [
            *([partial(self._leave_message, task, attempt, reason)] if task.items is None else []),
            *([node.give_up] if node is not None else []),
            partial(self.store.leave, task.key, attempt, REASON, reason),
            partial(self._register_end, task, attempt, code, reason),
        ]
        for tell in told:
            try:
                tell()
            except Exception as error:  # a metadata service may raise anything
                said = f"The end of the task could not be registered: {words_of(error)}\n"
                with contextlib.suppress(OSError):
                    os.write(2, said.encode("utf-8", "backslashreplace"))

    def _leave_message(self, task: PodTask, attempt: int, reason: str) -> None:
        if attempt > task.argo_retries and not task.shares_pod:
            reason = with_attempt(reason, attempt + 1)
        if path := os.environ.get(environment.MESSAGE):
            leave_reason(Path(path), reason)

    def _register_end(self, task: PodTask, attempt: int, code: int, reason: str) -> None:
        if self.store.is_registered():
            register_end(
                task.flow,
                self.settings.metadata,
                task.run_id,
                task.key,
                attempt,
                code,
                reason,
                tags=task.tags,
                pod=os.environ.get(environment.POD_NAME),
                datastore=self.store.place,
            )
