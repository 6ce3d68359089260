"""The step decorator that ties a task of a flow to the pod it runs in.

It is attached at create and in the pod, never written by users. At create it adds what a pod needs to
the code package; in the pod it registers where the task runs, and writes what Argo needs to know about
the finished step: the items of a foreach, the choice of a switch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from metaflow.decorators import StepDecorator
from metaflow.exception import MetaflowException
from metaflow.metadata_provider import MetaDatum
from metaflow.packaging_sys import ContentType
from metaflow.unbounded_foreach import UBF_CONTROL, UBF_TASK

import metaflow_hera
from metaflow_hera.contract import environment
from metaflow_hera.contract.ranges import split
from metaflow_hera.metaflow_api.decorators.attaching import NAME, SHOWS
from metaflow_hera.metaflow_api.pod.cards import share_cards
from metaflow_hera.metaflow_api.pod.events import publish_end, tell_current
from metaflow_hera.metaflow_api.pod.packaged_settings import FILE_NAME
from metaflow_hera.metaflow_api.pod.reasons import leave_reason, words_of

POD_NAME = "kubernetes-pod-name"
"""The metadata field with the pod of an attempt, the same as that of Metaflow's @kubernetes."""

POD_PARTS = (
    *("__init__.py", "installed.py", "errors.py", "private_files.py"),
    *("choices", "contract", "graph", "metaflow_api", "runtime"),
)
"""The parts of this package that a pod needs: they travel in the code package."""


PackagedFile = tuple[str, str, ContentType]
"""A file, its name in the code package, and what it is."""


def pod_files(settings_file: str) -> Iterator[PackagedFile]:
    """The files of this package that a pod needs, and the file with the pod's settings."""
    root = Path(metaflow_hera.__file__).parent
    for part in POD_PARTS:
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            arcname = f"metaflow_hera/{file.relative_to(root).as_posix()}"
            yield str(file), arcname, ContentType.CODE_CONTENT
    yield settings_file, FILE_NAME, ContentType.OTHER_CONTENT


def first_and_last(graph: Any) -> tuple[str, str]:
    """The names of a flow's first and last step, by Metaflow's graph. An older one does not name them."""
    return getattr(graph, "start_step", "start"), getattr(graph, "end_step", "end")


class HeraInternalDecorator(StepDecorator):  # type: ignore[misc]
    """See the module."""

    name = NAME
    defaults: ClassVar[dict[str, Any]] = {SHOWS: False}
    to_package: ClassVar[Callable[[], Iterable[PackagedFile]] | None] = None
    _env: Mapping[str, str] = os.environ
    """The pod's environment, before the step may change it."""
    _is_worker = False
    """Whether the task is a node of a @parallel step, and not the first; told when it begins, if it does."""

    def add_to_package(self) -> list[PackagedFile]:
        """The files that a pod needs. Every step has this decorator; only the first one asked adds them."""
        files = HeraInternalDecorator.to_package
        HeraInternalDecorator.to_package = None
        return list(files()) if files is not None else []

    def task_pre_step(
        self,
        step_name: str,
        task_datastore: Any,
        metadata: Any,
        run_id: str,
        task_id: str,
        flow: Any,
        graph: Any,
        retry_count: int,
        max_user_code_retries: int,
        ubf_context: Any,
        inputs: Any,
    ) -> None:
        """Register where the task runs and what started it, under the names of Metaflow's own plugin."""
        self._task = (run_id, task_id)
        self._is_worker = ubf_context == UBF_TASK
        self._env = dict(os.environ)
        triggers = tell_current(self._env)
        values = {
            "argo-workflow-template": self._env.get(environment.ARGO_TEMPLATE),
            "argo-workflow-name": self._env.get(environment.ARGO_NAME),
            "argo-workflow-namespace": self._env.get(environment.ARGO_NAMESPACE),
            "argo-workflow-template-owner": self._env.get(environment.OWNER),
            POD_NAME: self._env.get(environment.POD_NAME),
        }
        if triggers and step_name == first_and_last(graph)[0]:
            values["execution-triggers"] = json.dumps(triggers)
        entries = [
            MetaDatum(field=name, value=value, type=name, tags=[f"attempt_id:{retry_count}"])
            for name, value in values.items()
        ]
        metadata.register_metadata(run_id, step_name, task_id, entries)
        share_cards()
        if ubf_context == UBF_CONTROL:
            # The nodes of a @parallel step differ in the last index of their task ids; Metaflow wants a list.
            before = task_id.rpartition("-")[0]
            nodes = range(flow._parallel_ubf_iter.num_parallel)
            flow._control_mapper_tasks = [f"{run_id}/{step_name}/{before}-{node}" for node in nodes]

    def task_exception(
        self,
        exception: Exception,
        step_name: str,
        flow: Any,
        graph: Any,
        retry_count: int,
        max_user_code_retries: int,
    ) -> bool:
        """Note why the task fails, for users who see only the pod. The exception is not handled here."""
        leave_reason(Path(self._env[environment.REASON]), words_of(exception))
        return False

    def task_post_step(
        self, step_name: str, flow: Any, graph: Any, retry_count: int, max_user_code_retries: int
    ) -> None:
        """Refuse what only Metaflow's own runtime can continue."""
        if flow._foreach_var is not None and _items(flow) is None:
            raise MetaflowException(
                f"Step {step_name} opens an unbounded foreach, which no scheduler can run: give it a list."
            )

    def task_finished(
        self,
        step_name: str,
        flow: Any,
        graph: Any,
        is_task_ok: bool,
        retry_count: int,
        max_user_code_retries: int,
    ) -> None:
        """Write what Argo needs to know, and note that the task is finished.

        Does neither if the step ended without its self.next(): Metaflow's own runtime then ends the run, and
        Argo would just go on. `is_task_ok` does not say so: it is also false after a sys.exit(0) that
        follows self.next(), which Metaflow counts as success. Of the nodes of a @parallel step it asks this
        of the first alone: a decorator such as @metaflow_ray runs the step on that one only.
        """
        node = graph[step_name]
        next_steps = flow._transition[0] if flow._transition else []
        if node.type == "split-switch":
            if len(next_steps) != 1 or next_steps[0] not in node.out_funcs:
                return
            self._write_output(next_steps[0])
        elif next_steps != node.out_funcs and not (self._is_worker and is_task_ok and not next_steps):
            return
        elif node.type == "foreach":
            items = _items(flow)
            if items is None:
                return
            per_pod = self._env.get(environment.SPLITS_PER_POD)
            found = split(items, int(per_pod)) if per_pod else list(range(items))
            self._write_output(json.dumps(found, separators=(",", ":")))
        finished = Path(self._env[environment.FINISHED])
        finished.parent.mkdir(parents=True, exist_ok=True)  # a step may have emptied its temporary folder
        finished.touch()
        if is_task_ok:
            run_id, task_id = self._task
            is_last = step_name == first_and_last(graph)[1]
            publish_end(flow.name, step_name, run_id, task_id, self._env, is_last=is_last)

    def _write_output(self, text: str) -> None:
        path = Path(self._env[environment.OUTPUT])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _items(flow: Any) -> int | None:
    """How many tasks the foreach or the @parallel step that follows has; None if that is not known."""
    if flow._foreach_num_splits is not None:
        return int(flow._foreach_num_splits)
    if flow._foreach_var == "_parallel_ubf_iter":
        return int(flow._parallel_ubf_iter.num_parallel)
    return None
