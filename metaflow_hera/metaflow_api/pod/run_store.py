"""A run's tasks in Metaflow's datastore, as far as a pod must read and write them itself."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from shutil import copyfile
from typing import Any

from metaflow.datastore import FlowDataStore
from metaflow.datastore.exceptions import DataException
from metaflow.metaflow_config import MAX_ATTEMPTS
from metaflow.mflog import TASK_LOG_SOURCE
from metaflow.plugins import DATASTORES
from metaflow.plugins.datastores.local_storage import LocalStorage
from metaflow.plugins.datastores.s3_storage import S3Storage
from metaflow.util import compress_list

from metaflow_hera.contract.datastores import LIBRARIES
from metaflow_hera.errors import RunFailed
from metaflow_hera.graph.tasks import TaskKey, task_key

__all__ = ["MAX_ATTEMPTS", "REASON", "RunStore"]

PARAMETERS_STEP = "_parameters"
PARAMETERS_TASK = "parameters"
"""The id of the task that holds a run's parameters."""
REASON = "reason"
"""The note that a failed attempt leaves about why it failed."""
WELL = "well"
"""The note that an attempt leaves which has ended well, where several tasks share a pod."""
FEW = 10
"""Up to this many tasks are looked up one by one: to list tasks on S3, Metaflow starts another process."""


def import_client(datastore: str) -> None:
    """Import what Metaflow reads a datastore with, and imports itself when it is first asked."""
    for package in LIBRARIES.get(datastore, ()):
        import_module(package.replace("-", "."))


@dataclass(frozen=True)
class SoFar:
    """How many attempts of a task have begun, whether the last one has ended well, and noted it (`WELL`)."""

    attempts: int
    well: bool
    noted: bool


@dataclass(frozen=True)
class Stored:
    """What an attempt that ended well has stored: its number, and of each artifact the hash and encoding."""

    attempt: int
    artifacts: Mapping[str, tuple[str, str]]


class RunStore:
    """The tasks of one run in a datastore of a given type and root."""

    def __init__(self, flow: str, datastore: str, root: str, run_id: str) -> None:
        self._place = (flow, datastore, root)
        self._run_id = run_id
        self._open()

    def _open(self) -> None:
        flow, datastore, root = self._place
        storage = next(impl for impl in DATASTORES if datastore == impl.TYPE)
        self._opened: Any = FlowDataStore(flow, None, storage_impl=storage, ds_root=root)
        self._opener = os.getpid()

    @property
    def _store(self) -> Any:
        # Metaflow's for Azure and Google keep threads, which are not there after a fork.
        if self._opener != os.getpid() and hasattr(self._opened._storage_impl, "_executor"):
            self._open()
        return self._opened

    def rest(self) -> None:
        """End the threads that Metaflow keeps for Azure and Google, before a fork.

        The next use starts others. No other thread may use the store meanwhile.
        """
        storage = self._opened._storage_impl
        kept = getattr(storage, "_executor", None)
        if kept is not None and self._opener == os.getpid():
            kept._executor.shutdown()
            storage._executor = type(kept)(use_processes=storage._use_processes)

    @property
    def _storage(self) -> Any:
        return self._store._storage_impl

    @property
    def place(self) -> tuple[str, str]:
        """The type and the root of the datastore."""
        return self._store.TYPE, self._store.datastore_root

    @property
    def flow(self) -> str:
        """The flow's name."""
        return self._place[0]

    @property
    def storage_type(self) -> Any:
        """Metaflow's class for the datastore."""
        return type(self._storage)

    def data(self, task: TaskKey) -> Any:
        """What the last attempt of a task that has ended has stored, well or not; None if there is none."""
        try:
            return self._store.get_task_datastore(self._run_id, task.step, task.task_id)
        except DataException:
            return None

    def attempts(self, task: TaskKey) -> int:
        """How many attempts of a task the datastore knows: one more than the last one's number."""
        known = self._storage.is_file(
            [self._file(task, f"{attempt}.attempt.json") for attempt in range(MAX_ATTEMPTS)]
        )
        return max((attempt + 1 for attempt, exists in enumerate(known) if exists), default=0)

    def so_far(self, tasks: Sequence[TaskKey]) -> list[SoFar]:
        """How far each of several tasks is, with few calls: one for all that has not begun."""
        counts = dict.fromkeys(tasks, 0)
        asked = list(tasks)
        for attempt in range(MAX_ATTEMPTS):
            known = self._storage.is_file([self._file(task, f"{attempt}.attempt.json") for task in asked])
            # No attempt is without those before it (`begin`).
            asked = [task for task, exists in zip(asked, known) if exists]
            counts.update(dict.fromkeys(asked, attempt + 1))
            if not asked:
                break
        begun = [task for task in tasks if counts[task]]
        noted, done, failed = (
            dict(zip(begun, self._storage.is_file(files)))
            for files in (
                [self._note(task, counts[task] - 1, WELL) for task in begun],
                [self._file(task, f"{counts[task] - 1}.DONE.lock") for task in begun],
                [self._note(task, counts[task] - 1, REASON) for task in begun],
            )
        )
        # A failed attempt stores its artifacts too, and a pod may be lost before it can say how one ended.
        well = {
            task
            for task in begun
            if noted[task] or (done[task] and not failed[task] and self._is_ok(task, counts[task] - 1))
        }
        return [SoFar(counts[task], task in well, task in well and noted[task]) for task in tasks]

    def note_well(self, task: TaskKey, attempt: int) -> None:
        """Note that an attempt has ended well, which its artifacts do not say after a sys.exit(0)."""
        self.leave(task, attempt, WELL, "")

    def begin(self, task: TaskKey, attempt: int) -> None:
        """Mark an attempt as begun, and those before it whose pods ended before they could.

        Metaflow marks an attempt when its step begins, and its reader takes what lies before the first
        attempt without a mark for all there is: it would read an earlier one, that failed.
        """
        marked = self._storage.is_file([self._file(task, f"{each}.attempt.json") for each in range(attempt)])
        for each in (*(number for number, exists in enumerate(marked) if not exists), attempt):
            self._store.get_task_datastore(
                self._run_id, task.step, task.task_id, attempt=each, mode="w"
            ).init_task()

    def is_registered(self) -> bool:
        """Whether the run and its parameters are stored. Metaflow's `init` makes one attempt."""
        place = (self._store.flow_name, self._run_id, PARAMETERS_STEP, PARAMETERS_TASK, "0.DONE.lock")
        return bool(self._storage.is_file([self._storage.path_join(*place)])[0])

    def ended(self, tasks: Sequence[TaskKey]) -> Sequence[TaskKey]:
        """The tasks with an attempt that has ended well, with all its artifacts stored."""
        if len(tasks) <= FEW:
            return [task for task in tasks if self._ended_well(task) is not None]
        found = {
            (store.step_name, store.task_id)
            for store in self._store.get_task_datastores(pathspecs=[self.pathspec(task) for task in tasks])
        }
        return [task for task in tasks if (task.step, task.task_id) in found]

    def failed(self, steps: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """The tasks of steps that began and have not ended well: step/task, and the reason that they left.

        Reasons are read for the first `limit` tasks only.
        """
        places = [self._storage.path_join(self._store.flow_name, self._run_id, step) for step in steps]
        tasks = [entry.path for entry in self._storage.list_content(places) if not entry.is_file]
        files: dict[str, set[str]] = {}
        for entry in self._storage.list_content(tasks):
            folder, _, name = str(entry.path).rpartition("/")
            files.setdefault(folder, set()).add(name)
        failed = [
            task_key(*folder.rsplit("/", 2)[1:])
            for folder, names in sorted(files.items())
            if _has_failed(names)
        ]
        return [
            (f"{task.step}/{task.task_id}", (self.latest(task, 0, REASON) or "") if number < limit else "")
            for number, task in enumerate(failed)
        ]

    def cardinality(self, task: TaskKey) -> int:
        """How many items a foreach task found, or nodes a @parallel step has.

        Raises RunFailed if that task has not ended well.
        """
        items = self._artifact(task, "_foreach_num_splits")
        return int(self._artifact(task, "_parallel_ubf_iter").num_parallel if items is None else items)

    def choice(self, task: TaskKey) -> str:
        """The step that a switch's task chose. Raises RunFailed if that task has not ended well."""
        return str(self._artifact(task, "_transition")[0][0])

    def last_iteration(self, loop: TaskKey) -> TaskKey | None:
        """The last iteration that ended well of a loop's task; None before the first.

        Iterations follow each other, so a binary search finds it.
        """

        def is_missing(iteration: int) -> bool:
            return not self.ended([replace(loop, iteration=iteration)])

        bound = 1
        while not is_missing(bound - 1):
            bound *= 2
        count = bound // 2
        while count < bound:
            middle = (count + bound) // 2
            count, bound = (count, middle) if is_missing(middle) else (middle + 1, bound)
        return replace(loop, iteration=count - 1) if count else None

    def stored(self, task: TaskKey) -> Stored:
        """What a task has stored. Raises RunFailed if it has not ended well."""
        found = self._finished(task)
        return Stored(
            found.attempt,
            {name: (sha, found._info[name]["encoding"]) for name, sha in found._objects.items()},
        )

    def leave(self, task: TaskKey, attempt: int, name: str, text: str) -> None:
        """Leave a note in the datastore beside the data of a task's attempt."""
        note = BytesIO(text.encode())
        self._storage.save_bytes(iter([(self._note(task, attempt, name), note)]), overwrite=True)

    def left(self, tasks: Sequence[TaskKey], attempt: int, name: str) -> Sequence[TaskKey]:
        """The tasks whose attempt has left such a note."""
        found = self._storage.is_file([self._note(task, attempt, name) for task in tasks])
        return [task for task, exists in zip(tasks, found) if exists]

    def latest(self, task: TaskKey, oldest: int, name: str) -> str | None:
        """The latest note of that name that an attempt from `oldest` on has left; None if there is none."""
        for attempt in reversed(range(oldest, MAX_ATTEMPTS)):
            if self.left([task], attempt, name):
                with self._storage.load_bytes([self._note(task, attempt, name)]) as found:
                    return next(Path(path).read_text(encoding="utf-8") for _, path, _ in found)
        return None

    def save_logs(self, task: TaskKey, attempt: int, streams: Mapping[str, Path]) -> None:
        """Store log files in Metaflow's format; `streams` maps "stdout" and "stderr" to files.

        They may be larger than memory, and grow meanwhile.
        """
        store = self._store.get_task_datastore(
            self._run_id, task.step, task.task_id, attempt=attempt, mode="w"
        )
        if self._store.TYPE == S3Storage.TYPE:
            store.save_logs(TASK_LOG_SOURCE, dict(streams))
            return
        for name, path in streams.items():  # Metaflow would read all of a file first
            if self._store.TYPE == LocalStorage.TYPE:
                _copy(path, Path(store.get_log_location(TASK_LOG_SOURCE, name)))
            else:
                key = self._file(task, f"{attempt}.{TASK_LOG_SOURCE}_{name}.log")
                self._storage.root_client.save_bytes_single((key, str(path), None), overwrite=True)

    def pathspec(self, task: TaskKey) -> str:
        """A task's place in the datastore: run/step/task."""
        return f"{self._run_id}/{task.step}/{task.task_id}"

    def input_paths(self, tasks: Sequence[TaskKey]) -> str:
        """The tasks as Metaflow's `--input-paths` takes them; none: the run's parameters."""
        paths = [self.pathspec(task) for task in tasks]
        return str(compress_list(paths or [f"{self._run_id}/{PARAMETERS_STEP}/{PARAMETERS_TASK}"]))

    def _is_ok(self, task: TaskKey, attempt: int) -> bool:
        """Whether an attempt has stored that its step was successful."""
        store = self._store.get_task_datastore(self._run_id, task.step, task.task_id, attempt=attempt)
        return bool(store.get("_task_ok"))

    def _file(self, task: TaskKey, name: str) -> str:
        path = self._storage.path_join(self._store.flow_name, self._run_id, task.step, task.task_id, name)
        return str(path)

    def _note(self, task: TaskKey, attempt: int, name: str) -> str:
        return self._file(task, f"{attempt}.hera_{name}")

    def _artifact(self, task: TaskKey, name: str) -> Any:
        return self._finished(task)[name]

    def _finished(self, task: TaskKey) -> Any:
        store = self._ended_well(task)
        if store is None:
            raise RunFailed(f"The datastore has no finished task {self.pathspec(task)} to continue from.")
        return store

    def _ended_well(self, task: TaskKey) -> Any:
        """What a task has stored, None if it has not ended well."""
        try:
            found = self._store.get_task_datastore(self._run_id, task.step, task.task_id)
        except DataException:
            return None
        # A failed attempt stores its artifacts as well.
        return None if self.left([task], found.attempt, REASON) else found


def _copy(source: Path, target: Path) -> None:
    """Put a copy of a file in the place of another, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        copyfile(source, new)
        os.replace(new, target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _has_failed(files: Collection[str]) -> bool:
    """Whether the last attempt of a task began and has not ended well, by the names of its files."""
    attempts = [int(name.partition(".")[0]) for name in files if name.endswith(".attempt.json")]
    if not attempts:
        return False
    last = max(attempts)
    return f"{last}.DONE.lock" not in files or f"{last}.hera_{REASON}" in files
