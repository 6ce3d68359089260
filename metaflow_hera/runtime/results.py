"""A pod's program that does not run its task, but tells what the task has stored."""

from __future__ import annotations

import json
from pathlib import Path

from metaflow_hera.graph.tasks import TaskKey, task_key
from metaflow_hera.metaflow_api.pod.packaged_settings import PodSettings
from metaflow_hera.metaflow_api.pod.run_store import RunStore
from metaflow_hera.metaflow_api.read.results import answer, limit


def tell_results(request: str, settings: PodSettings, datastore: str) -> int:
    """Answer a request, JSON with the `pathspec` of a task and the `folder` for the answer.

    Of a loop's task, given without an iteration, the last iteration that ended well answers. Returns the exit
    code.
    """
    limit()
    asked = json.loads(request)
    flow, run_id, step, task_id = asked["pathspec"].split("/")
    store = RunStore(flow, datastore, settings.datastore_root, run_id)
    answer(store, _of_loop(settings, store, task_key(step, task_id)), Path(asked["folder"]))
    return 0


def _of_loop(settings: PodSettings, store: RunStore, task: TaskKey) -> TaskKey:
    if not settings.graph[task.step].loops or task.iteration is not None:
        return task
    return store.last_iteration(task) or TaskKey(task.step, task.path, 0)
