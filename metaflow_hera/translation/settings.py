"""All that a deployment needs besides the flow itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metaflow_hera.choices.deployment import Choices
from metaflow_hera.metaflow_api.load.packages import CodePackage


@dataclass(frozen=True)
class EventsPlace:
    """Where events come from (Argo Events' bus, source and event), and a sensor's account and namespace."""

    bus: str
    source: str
    event: str
    service_account: str
    namespace: str


@dataclass(frozen=True)
class Settings:
    """How a flow is deployed.

    `name` and `token` are the deployment's name and production token, `environment` what Metaflow
    needs in each pod, `python` the interpreter of this machine that all pods run with, None if each uses
    that of its image. `events` is None if nothing says where events come from, `instance` the instance id of
    the controller that is to run the flow. `project` are Metaflow's options that say which branch of @project
    it is, where the code package is another branch's.
    """

    name: str
    kubernetes_namespace: str
    token: str
    owner: str
    package: CodePackage
    environment: Mapping[str, str]
    choices: Choices
    python: str | None = None
    events: EventsPlace | None = None
    instance: str | None = None
    project: Sequence[str] | None = None
