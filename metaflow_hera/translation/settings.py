"""What a deployment is made with, beside the flow itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metaflow_hera.metaflow_api.packages import CodePackage


@dataclass(frozen=True)
class Settings:
    """How a flow is deployed.

    `name` and `token` are the deployment's name and production token, `environment` what Metaflow
    needs in each pod, `python` the interpreter of this machine that all pods run with, None where each has
    that of its image. `deployed_at` is left out of an export, so that the same flow always gives the same
    text. `title` and `description` are None for the flow's own. Times are in seconds.
    """

    name: str
    kubernetes_namespace: str
    token: str
    owner: str
    package: CodePackage
    environment: Mapping[str, str]
    python: str | None = None
    max_workers: int = 100
    tags: Sequence[str] = ()
    namespace: str | None = None
    workflow_timeout: int | None = None
    workflow_priority: int | None = None
    title: str | None = None
    description: str | None = None
    deployed_at: str | None = None
