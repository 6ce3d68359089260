"""The life of a pod: its tasks, the iterations of its loop or its run's hooks, and the exit code for Argo."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from metaflow_hera.contract import environment
from metaflow_hera.errors import MetaflowHeraError
from metaflow_hera.metaflow_api.pod.events import take_from
from metaflow_hera.metaflow_api.pod.packaged_settings import load_pod_settings
from metaflow_hera.metaflow_api.pod.run_store import RunStore
from metaflow_hera.metaflow_api.pod.working_folder import tell_metaflow
from metaflow_hera.runtime.arguments import take_parameters
from metaflow_hera.runtime.attempts import Attempts
from metaflow_hera.runtime.hooks import run_hooks
from metaflow_hera.runtime.iterations import run_iterations
from metaflow_hera.runtime.ranges import run_range
from metaflow_hera.runtime.task import PodTask


def main(said: Sequence[tuple[float, str]] = ()) -> int:
    """Run this pod's task and return the exit code.

    `said` holds what the bootstrap printed, with the times: the first lines of the task's log. Raises
    SystemExit with the reason if the task cannot even be made out.
    """
    try:
        return _main(said)
    except MetaflowHeraError as error:
        sys.exit(str(error))


def _main(said: Sequence[tuple[float, str]]) -> int:
    tell_metaflow()
    take_from(os.environ)
    settings = load_pod_settings()
    if environment.RESULTS in os.environ:
        from metaflow_hera.runtime.results import tell_results  # which the pods themselves do not need

        return tell_results(os.environ[environment.RESULTS], settings, os.environ[environment.CODE_DATASTORE])
    sys.argv = [settings.script]  # the name that Metaflow registers with an attempt
    if environment.HOOKS in os.environ:
        return run_hooks(settings)
    task = PodTask.from_environment(os.environ)
    store = RunStore(task.flow, os.environ[environment.CODE_DATASTORE], settings.datastore_root, task.run_id)
    attempts = Attempts(settings, store, take_parameters(), said)
    if task.items is not None:
        return run_range(task, task.items, attempts)
    if settings.graph[task.step].loops:
        return run_iterations(task, attempts)
    # Argo counts from 0 again when a whole run is retried; the datastore knows the earlier attempts.
    attempt = max(task.argo_retries, store.attempts(task.key))
    return attempts.run(task, attempt, earlier=attempt - task.argo_retries).code
