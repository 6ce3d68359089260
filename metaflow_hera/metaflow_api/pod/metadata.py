"""What a pod itself adds to Metaflow's metadata: how an attempt ended that could not report it."""

from __future__ import annotations

from types import SimpleNamespace

from metaflow.metadata_provider import MetaDatum
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins import METADATA_PROVIDERS

from metaflow_hera.graph.tasks import TaskKey


def register_end(
    flow: str, provider: str, run_id: str, task: TaskKey, attempt: int, code: int, reason: str
) -> None:
    """Register the exit code of a failed attempt and why it ended, as `exit-code` and `exit-reason`.

    `provider` is the type of the metadata provider: local, service, ...
    """
    kind = next(impl for impl in METADATA_PROVIDERS if provider == impl.TYPE)
    metadata = kind(MetaflowEnvironment(None), SimpleNamespace(name=flow), None, None)
    tags = [f"attempt_id:{attempt}"]
    metadata.register_metadata(
        run_id,
        task.step,
        task.task_id,
        [
            MetaDatum(field="exit-code", value=str(code), type="exit-code", tags=tags),
            MetaDatum(field="exit-reason", value=reason, type="exit-reason", tags=tags),
        ],
    )
