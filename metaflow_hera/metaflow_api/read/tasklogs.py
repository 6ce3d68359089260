"""What tasks printed, as Metaflow has stored it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from metaflow import Run, Task
from metaflow.exception import MetaflowException, MetaflowNotFound
from metaflow.mflog import LOG_SOURCES
from metaflow.plugins import DATASTORES

from metaflow_hera.graph.tasks import TaskKey, task_key
from metaflow_hera.metaflow_api.decorators.internal import POD_NAME
from metaflow_hera.metaflow_api.read.log_files import StoredLine, merged_lines
from metaflow_hera.metaflow_api.read.log_loading import loaded_logs

STREAMS = ("stdout", "stderr")
PARAMETERS_STEP = "_parameters"


@dataclass(frozen=True)
class Begun:
    """An attempt that Metaflow knows: its number, when it began, and the name of its pod if that is noted."""

    number: int
    at: datetime
    pod: str | None


class StoredLogs:
    """The logs of the run with this `pathspec` in Metaflow, whatever its namespace.

    `fault` says why Metaflow's data cannot be read, "" as long as it can. Once it is set, Metaflow is not
    asked again, since it retries for a long time.
    """

    def __init__(self, pathspec: str) -> None:
        self._pathspec = pathspec
        self.fault = ""

    def tasks(self) -> list[TaskKey] | None:
        """The tasks that Metaflow knows, in the order in which they began; None if it knows no such run."""
        try:
            steps = list(Run(self._pathspec, _namespace_check=False))
            by_step = [[task_key(step.id, task.id) for task in step] for step in steps]
        except MetaflowNotFound:
            return None
        except (MetaflowException, OSError) as error:
            self._fails(error)
            return None
        begun = reversed(by_step)  # Metaflow names the last step first
        return [
            task
            for tasks in begun
            for task in sorted(tasks, key=lambda each: (each.path, each.iteration or 0))
            if task.step != PARAMETERS_STEP
        ]

    def iterations(self, task: TaskKey) -> Iterator[TaskKey]:
        """The task itself, or the iterations of a loop, each of which is a task."""
        if self._known(task) is not None:
            yield task
            return
        number = 0
        while self._known(each := TaskKey(task.step, task.path, number)) is not None:
            yield each
            number += 1

    def begun(self, task: TaskKey) -> Sequence[Begun]:
        """The attempts that Metaflow knows of a task, in their order."""
        known = self._known(task)
        found: list[Begun] = []
        # An attempt notes its number first, and no two of a task run at a time.
        metadata = known.metadata if known else ()
        for each in sorted(metadata, key=lambda each: (each.created_at, each.name != "attempt")):
            if each.name == "attempt":
                at = datetime.fromtimestamp(each.created_at / 1000, timezone.utc)
                found.append(Begun(int(each.value), at, None))
            elif each.name == POD_NAME and found:
                found[-1] = replace(found[-1], pod=each.value)
        return found

    def attempts(self, task: TaskKey) -> int:
        """How many attempts a task has had, as Metaflow counts: one more than the number of the last one."""
        return max((each.number for each in self.begun(task)), default=-1) + 1

    def lines(
        self, task: TaskKey, attempt: int, last: int | None = None, streams: Sequence[str] = STREAMS
    ) -> Iterator[StoredLine]:
        """The lines of an attempt's streams in the order of their times: of each all, or the `last` ones."""
        known = self._known(task, attempt)
        if known is None:
            return
        about = known.metadata_dict
        if "ds-type" not in about or "ds-root" not in about:
            return
        flow, run, step, name = known.path_components
        try:
            storage = next(impl for impl in DATASTORES if about["ds-type"] == impl.TYPE)(about["ds-root"])
            place = storage.path_join(flow, run, step, name)
            wanted = {
                storage.path_join(place, f"{attempt}.{source}_{stream}.log"): stream
                for stream in streams
                for source in LOG_SOURCES
            }
            with loaded_logs(storage, list(wanted), last) as found:
                files = {Path(path): wanted[key] for key, path in found if path is not None}
                yield from merged_lines(files, last)
        except Exception as error:  # a datastore may raise anything
            self._fails(error)

    def _known(self, task: TaskKey, attempt: int | None = None) -> Any:
        pathspec = f"{self._pathspec}/{task.step}/{task.task_id}"
        if self.fault:
            return None
        try:
            return Task(pathspec, attempt=attempt, _namespace_check=False)
        except MetaflowNotFound:
            return None
        except (MetaflowException, OSError) as error:
            self._fails(error)
            return None

    def _fails(self, error: Exception) -> None:
        self.fault = " ".join(str(error).split()) or type(error).__name__
