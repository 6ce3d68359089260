"""What a pod itself adds to Metaflow's metadata: how an attempt ended that could not report it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from metaflow.metadata_provider import MetaDatum
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins import METADATA_PROVIDERS

from metaflow_hera.graph.tasks import TaskKey


def register_end(
    flow: str,
    provider: str,
    run_id: str,
    task: TaskKey,
    attempt: int,
    code: int,
    reason: str,
    *,
    tags: Sequence[str],
    pod: str | None,
    datastore: tuple[str, str],
) -> None:
    """Register the exit code of a failed attempt and why it ended, as `exit-code` and `exit-reason`.

    `provider` is the type of the metadata provider: local, service, ... An attempt that ended before Metaflow
    registered it is registered first, with the task's `tags`, the name of its `pod`, and the type and root of
    the `datastore`, without which its logs are not found.
    """
    kind = next(impl for impl in METADATA_PROVIDERS if provider == impl.TYPE)
    metadata = kind(MetaflowEnvironment(None), SimpleNamespace(name=flow), None, None)

    def register(**values: str | None) -> None:
        entries = [
            MetaDatum(field=name, value=value, type=name, tags=[f"attempt_id:{attempt}"])
            for name, value in ((name.replace("_", "-"), value) for name, value in values.items())
        ]
        metadata.register_metadata(run_id, task.step, task.task_id, entries)

    known = kind.get_object("task", "metadata", {}, None, flow, run_id, task.step, task.task_id) or ()
    if not any(each["field_name"] == "attempt" and each["value"] == str(attempt) for each in known):
        metadata.add_sticky_tags(tags=tags)
        metadata.register_task_id(run_id, task.step, task.task_id, attempt)
        register(attempt=str(attempt), ds_type=datastore[0], ds_root=datastore[1])
        register(kubernetes_pod_name=pod)
    register(exit_code=str(code), exit_reason=reason)
