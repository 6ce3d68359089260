"""One pod that is under way: what is known of it while this server looks after it."""

from __future__ import annotations

from dataclasses import dataclass

from metaflow_hera.embedded.pods import memory
from metaflow_hera.embedded.pods.containers import Process
from metaflow_hera.embedded.storage.reader import PodRow


@dataclass(slots=True)
class Pod:
    """A pod that the keeper was told to start, or that an earlier keeper has.

    `process` is None if it can no longer be worked out, `adopted` says since when this server looks after
    a pod of an earlier keeper. `progress` is what it told last.
    """

    row: PodRow
    process: Process | None
    group: str | None = None
    adopted: float | None = None
    out_of_memory: bool = False
    progress: tuple[int, int] | None = None

    @property
    def memory_limit(self) -> int | None:
        """The bytes that its processes may hold together, if this machine can tell how many they hold."""
        return self.process.memory_limit if self.process is not None and memory.CAN_TELL else None


def deadline_of(row: PodRow) -> float | None:
    """When a pod is to be ended, unless it was told to."""
    if row.killed or row.started is None or row.deadline is None:
        return None
    return row.started + row.deadline
