"""A run's tasks in Metaflow's datastore, as far as a pod must read and write them itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from metaflow.datastore import FlowDataStore
from metaflow.metaflow_config import MAX_ATTEMPTS
from metaflow.mflog import TASK_LOG_SOURCE
from metaflow.plugins import DATASTORES
from metaflow.util import compress_list

from metaflow_hera.errors import RunFailed

__all__ = ["MAX_ATTEMPTS", "TaskStore"]


class TaskStore:
    """The tasks of one flow in a datastore of a given type and root."""

    def __init__(self, flow: str, datastore: str, root: str) -> None:
        storage = next(impl for impl in DATASTORES if datastore == impl.TYPE)
        self._store = FlowDataStore(flow, None, storage_impl=storage, ds_root=root)

    def attempts(self, run_id: str, step: str, task_id: str) -> int:
        """How many attempts of a task the datastore knows: one more than the last one's number."""
        storage = self._store._storage_impl
        folder = storage.path_join(self._store.flow_name, run_id, step, task_id)
        names = [f"{attempt}.attempt.json" for attempt in range(MAX_ATTEMPTS)]
        known = storage.is_file([storage.path_join(folder, name) for name in names])
        return max((attempt + 1 for attempt, exists in enumerate(known) if exists), default=0)

    def is_done(self, run_id: str, step: str, task_id: str) -> bool:
        """Whether an attempt of a task has ended well, with all its artifacts stored."""
        return bool(self._store.get_task_datastores(pathspecs=[f"{run_id}/{step}/{task_id}"]))

    def cardinality(self, run_id: str, step: str, task_id: str) -> int:
        """How many items a foreach task found. Raises RunFailed when that task has not ended well."""
        stores = self._store.get_task_datastores(pathspecs=[f"{run_id}/{step}/{task_id}"])
        if not stores:
            raise RunFailed(f"The datastore has no finished task {run_id}/{step}/{task_id} to join.")
        return int(stores[0]["_foreach_num_splits"])

    def save_logs(
        self, run_id: str, step: str, task_id: str, attempt: int, streams: Mapping[str, Path]
    ) -> None:
        """Store log files in Metaflow's format; `streams` maps "stdout" and "stderr" to files."""
        task = self._store.get_task_datastore(run_id, step, task_id, attempt=attempt, mode="w")
        task.save_logs(TASK_LOG_SOURCE, {name: path.read_bytes() for name, path in streams.items()})

    @staticmethod
    def compressed(pathspecs: Sequence[str]) -> str:
        """Pathspecs as Metaflow's `--input-paths` takes them."""
        return str(compress_list(list(pathspecs)))
