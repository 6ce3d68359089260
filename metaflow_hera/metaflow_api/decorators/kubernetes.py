"""@kubernetes as Metaflow has it, also for steps that this package deploys.

Such a step needs neither the package `kubernetes`, since Hera makes the manifest, nor a datastore in a
cloud: pods of the embedded Argo see this machine's files, and `operations.deployment` refuses a local
datastore for a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

from metaflow import current
from metaflow.exception import MetaflowException
from metaflow.plugins.kubernetes import kubernetes_decorator

from metaflow_hera.contract import environment as variables

ANY_DATASTORE = SimpleNamespace(TYPE="s3")


class KubernetesDecorator(kubernetes_decorator.KubernetesDecorator):  # type: ignore[misc]
    __doc__ = kubernetes_decorator.KubernetesDecorator.__doc__  # what help(kubernetes) shows

    deploying: ClassVar[bool] = False
    """Whether this process loads a flow to deploy it, or runs a task of it in a pod."""

    only_shown = False
    """Whether mutators see it, and the step will not have it (`decorators.attaching`)."""

    own: Mapping[str, Any] = {}
    """The attributes that the step itself gives: neither from Metaflow's configuration, nor the defaults."""

    _is_deployed = False
    """Whether the step runs, or will run, in a pod of this package."""

    def init(self) -> None:
        """Take over the configuration. Metaflow calls `init` only if the class itself defines it."""
        if self.only_shown:
            return
        # As Metaflow does, which takes what equals a default for not given.
        given = self.attributes.items()
        self.own = {name: value for name, value in given if value != self.defaults.get(name)}
        super().init()
        # step_init requires a number, and the configuration gives a text.
        if str(self.attributes["shared_memory"]).isdigit():
            self.attributes["shared_memory"] = int(self.attributes["shared_memory"])

    def step_init(
        self, flow: Any, graph: Any, step: str, decos: Any, environment: Any, flow_datastore: Any, logger: Any
    ) -> None:
        """Check the attributes, and take over what @resources says."""
        if self.only_shown:
            return
        self._is_deployed = self.deploying
        seen = ANY_DATASTORE if self._is_deployed else flow_datastore
        try:
            super().step_init(flow, graph, step, decos, environment, seen, logger)
        except (TypeError, ValueError) as error:
            raise MetaflowException(
                f"@kubernetes or @resources of step {step} has a value that must be a number: {error}."
            ) from error
        self.flow_datastore = flow_datastore

    def package_init(self, flow: Any, step_name: str, environment: Any) -> None:
        """Require the package `kubernetes` where Metaflow itself will talk to a cluster."""
        if not self._is_deployed:
            super().package_init(flow, step_name, environment)

    def task_pre_step(self, step_name: str, *rest: Any, **named: Any) -> None:
        """Register the pod, and set its temporary folder in `current`."""
        if self._is_deployed:
            from metaflow.plugins import SIDECARS

            # It would look for log files that only Metaflow's own plugin makes; the runtime stores ours.
            SIDECARS.pop("save_logs_periodically", None)
        super().task_pre_step(step_name, *rest, **named)
        if self._is_deployed and variables.LOCAL_ROOT in os.environ:
            # Metadata is written where it is read: task_finished must not copy it from the working folder.
            del self.metadata
        if variables.TMPFS in os.environ:
            current._update_env({"tempdir": os.environ[variables.TMPFS]})
