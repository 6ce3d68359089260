"""The command lines of Metaflow that a pod runs: `init`, once for each run, and `step`."""

from __future__ import annotations

from collections.abc import Sequence
from os import environ
from pathlib import Path

from metaflow_hera.contract import values
from metaflow_hera.contract.environment import PARAMETER
from metaflow_hera.graph.tasks import input_tasks, split_index
from metaflow_hera.metaflow_api.pod.commands import UBF_CONTROL, UBF_TASK
from metaflow_hera.metaflow_api.pod.packaged_settings import PodSettings
from metaflow_hera.metaflow_api.pod.run_store import PARAMETERS_TASK, RunStore
from metaflow_hera.runtime.task import PodTask


def init_arguments(task: PodTask, settings: PodSettings) -> Sequence[str]:
    """The arguments that register the run and its parameters."""
    return [
        *settings.top_level,
        "init",
        f"--run-id={task.run_id}",
        f"--task-id={PARAMETERS_TASK}",
        *(f"--tag={tag}" for tag in task.tags),
    ]


def step_arguments(
    task: PodTask, settings: PodSettings, store: RunStore, attempt: int, earlier: int, inputs: Path
) -> Sequence[str]:
    """The arguments that run the task, as the given attempt.

    `earlier` attempts were made before the whole run was retried: they do not count against the step's own
    retries. The names of the tasks before this one go into the file `inputs`: those of a wide foreach do not
    fit on a command line.
    """
    inputs.write_text(store.input_paths(input_tasks(settings.graph, task.key, store)), encoding="utf-8")
    arguments = [
        *settings.top_level,
        "step",
        task.step,
        f"--run-id={task.run_id}",
        f"--task-id={task.key.task_id}",
        f"--retry-count={attempt}",
        f"--max-user-code-retries={settings.steps[task.step].retries.user_code + earlier}",
        f"--input-paths-filename={inputs}",
        *(f"--tag={tag}" for tag in task.tags),
    ]
    index = split_index(settings.graph, task.key)
    if index is not None:
        arguments.append(f"--split-index={index}")
    if settings.graph[task.step].parallel:
        arguments.append(f"--ubf-context={UBF_TASK if index else UBF_CONTROL}")
    if task.namespace is not None:
        arguments.append(f"--namespace={task.namespace}")
    return arguments


def take_parameters() -> dict[str, str]:
    """Take the values that came through Argo out of the environment, in the form that `init` reads."""
    given = {name: environ.pop(name) for name in list(environ) if name.startswith(PARAMETER)}
    decoded = {name: values.decode(text) for name, text in given.items()}
    return {name: value for name, value in decoded.items() if value is not None}
