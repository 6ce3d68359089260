"""The nodes of a @parallel step: tasks that run at the same time, each in a pod of its own.

They meet in the datastore, so a cluster needs nothing but pods that can reach each other: node 0 leaves its
address there for the others. A node that fails leaves a note as well: node 0 then ends, and with it all
others, which would otherwise wait for each other for ever.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace

from metaflow_hera.contract.environment import POD_IP
from metaflow_hera.errors import RunFailed
from metaflow_hera.graph.tasks import TaskKey, input_tasks
from metaflow_hera.metaflow_api.pod.packaged_settings import PodSettings
from metaflow_hera.metaflow_api.pod.run_store import RunStore

ADDRESS = "address"
FAILED = "failed"
POLL = 1.0
"""Seconds between looks for the address of node 0."""
WATCH = 10.0
"""Seconds between looks for a node that failed."""
PATIENCE = 60.0
"""Seconds after which a node that was started again uses the address of an earlier attempt: perhaps only
that node was lost, and node 0 is still there."""


class ParallelNode:
    """One attempt of one node of a @parallel step."""

    def __init__(self, task: TaskKey, attempt: int, settings: PodSettings, store: RunStore) -> None:
        self._task = task
        self._attempt = attempt
        self._store = store
        self._timeout = settings.steps[task.step].parallel_timeout
        self._graph = settings.graph
        self._next_look = 0.0
        self._others: list[TaskKey] = []

    def meet(self) -> Mapping[str, str]:
        """Wait for node 0. Returns the environment variables that tell a node about the others.

        Their names are those of Metaflow's own plugin (kubernetes_decorator.py, argo_workflows.py).
        Raises RunFailed if node 0 does not start in time.
        """
        nodes, index = self._nodes(), self._task.path[-1]
        if index == 0:
            address = os.environ[POD_IP]
            self._store.leave(self._task, self._attempt, ADDRESS, address)
        else:
            address = self._address_of_node_0()
        place = {"MF_CONTROL_INDEX": "0"} if index == 0 else {"MF_WORKER_REPLICA_INDEX": str(index - 1)}
        return {
            **place,
            "MF_PARALLEL_MAIN_IP": address,
            "MF_PARALLEL_NUM_NODES": str(nodes),
            "MF_PARALLEL_NODE_INDEX": str(index),
            "MF_PARALLEL_CONTROL_TASK_ID": self._node(0).task_id,
            "MF_MASTER_ADDR": address,
            "MF_WORLD_SIZE": str(nodes),
        }

    def broken(self) -> str | None:
        """Why this node must end, if another one has failed in the same attempt."""
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + WATCH
        try:
            if not self._others:
                nodes = range(1, self._nodes()) if self._task.path[-1] == 0 else [0]
                self._others = [self._node(node) for node in nodes]
            failed = self._store.left(self._others, self._attempt, FAILED)
        except Exception as error:  # a datastore may raise anything; the next look may succeed
            print(
                f"The other nodes of the step could not be checked: {error}",
                file=sys.stderr,
                flush=True,
            )
            return None
        return (
            f"Node {failed[0].path[-1]} of the @parallel step {self._task.step} failed." if failed else None
        )

    def give_up(self) -> None:
        """Leave a note that this node failed."""
        self._store.leave(self._task, self._attempt, FAILED, "")

    def _nodes(self) -> int:
        (foreach,) = input_tasks(self._graph, self._task, self._store)
        return self._store.cardinality(foreach)

    def _node(self, index: int) -> TaskKey:
        return replace(self._task, path=(*self._task.path[:-1], index))

    def _address_of_node_0(self) -> str:
        begin = time.monotonic()
        while (waited := time.monotonic() - begin) < self._timeout:
            oldest = self._attempt if waited < PATIENCE else 0
            address = self._store.latest(self._node(0), oldest, ADDRESS)
            if address is not None:
                return address
            time.sleep(POLL)
        raise RunFailed(
            f"Node 0 of the @parallel step {self._task.step} did not start within {self._timeout} seconds: "
            "make room for its pods to run together, or raise @kubernetes(hostname_resolution_timeout=...)."
        )
