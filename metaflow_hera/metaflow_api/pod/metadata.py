"""What a pod itself adds to Metaflow's metadata: how an attempt ended that could not report all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

from metaflow.metadata_provider import DataArtifact, MetaDatum
from metaflow.metadata_provider.metadata import MetadataProvider
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins import METADATA_PROVIDERS

from metaflow_hera.graph.tasks import TaskKey
from metaflow_hera.metaflow_api.pod.run_store import Stored


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
    metadata = _provider(flow, provider)

    def register(**values: str | None) -> None:
        metadata.register_metadata(run_id, task.step, task.task_id, _entries(attempt, values))

    known = metadata.get_object("task", "metadata", {}, None, flow, run_id, task.step, task.task_id) or ()
    if not any(each["field_name"] == "attempt" and each["value"] == str(attempt) for each in known):
        metadata.add_sticky_tags(tags=tags)
        metadata.register_task_id(run_id, task.step, task.task_id, attempt)
        register(attempt=str(attempt), ds_type=datastore[0], ds_root=datastore[1])
        register(kubernetes_pod_name=pod)
    register(exit_code=str(code), exit_reason=reason)


def register_stored(
    flow: str, provider: str, run_id: str, task: TaskKey, stored: Stored, datastore: tuple[str, str]
) -> None:
    """Register what a task has stored, as Metaflow does after it has stored it.

    A pod that is lost in between leaves a task that ended well and that the Client API does not find whole.
    What is registered already stays as it is.
    """
    metadata = _provider(flow, provider)
    done = _entries(stored.attempt, {"attempt_done": str(stored.attempt)})
    metadata.register_metadata(run_id, task.step, task.task_id, done)
    kind, root = datastore
    artifacts = [
        DataArtifact(name=name, ds_type=kind, ds_root=root, url=None, sha=sha, type=encoding)
        for name, (sha, encoding) in stored.artifacts.items()
    ]
    metadata.register_data_artifacts(run_id, task.step, task.task_id, stored.attempt, artifacts)


def _provider(flow: str, provider: str) -> MetadataProvider:
    kind = next(impl for impl in METADATA_PROVIDERS if provider == impl.TYPE)
    return kind(MetaflowEnvironment(None), SimpleNamespace(name=flow), None, None)


def _entries(attempt: int, values: Mapping[str, str | None]) -> list[MetaDatum]:
    return [
        MetaDatum(field=name, value=value, type=name, tags=[f"attempt_id:{attempt}"])
        for name, value in ((name.replace("_", "-"), value) for name, value in values.items())
    ]
