"""@kubernetes as Metaflow has it, also for steps that this package deploys.

There the step needs neither the package `kubernetes`, since Hera makes the manifest, nor a datastore in a
cloud: pods of the embedded Argo see this machine's files, and `deployment` refuses local data for a
cluster's.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, ClassVar

from metaflow import current
from metaflow._vendor import click
from metaflow.exception import MetaflowException
from metaflow.plugins.kubernetes import kubernetes_decorator

from metaflow_hera.contract import environment as variables

ANY_DATASTORE = SimpleNamespace(TYPE="s3")


class KubernetesDecorator(kubernetes_decorator.KubernetesDecorator):  # type: ignore[misc]
    __doc__ = kubernetes_decorator.KubernetesDecorator.__doc__  # what help(kubernetes) shows

    deploying: ClassVar[bool] = False
    """Whether this process loads flows to deploy them."""

    _is_deployed = False
    """Whether the step runs, or is going to, in a pod of this package's."""

    def init(self) -> None:
        """Take over the configuration. Metaflow calls only an `init` of the class itself."""
        super().init()
        # A number is demanded of it (step_init), and the configuration gives a text.
        if str(self.attributes["shared_memory"]).isdigit():
            self.attributes["shared_memory"] = int(self.attributes["shared_memory"])

    def step_init(
        self, flow: Any, graph: Any, step: str, decos: Any, environment: Any, flow_datastore: Any, logger: Any
    ) -> None:
        """Check the attributes, and take over what @resources says."""
        # Now, for the package is made in another thread, which knows nothing of the command.
        self._is_deployed = self.deploying or variables.PATH in os.environ or _asked() == "hera"
        seen = ANY_DATASTORE if self._is_deployed else flow_datastore
        try:
            super().step_init(flow, graph, step, decos, environment, seen, logger)
        except (TypeError, ValueError) as error:
            raise MetaflowException(
                f"@kubernetes or @resources of step {step} has no number where there must be one: {error}."
            ) from error
        self.flow_datastore = flow_datastore

    def package_init(self, flow: Any, step_name: str, environment: Any) -> None:
        """Demand the package `kubernetes` where Metaflow itself is to talk to a cluster."""
        if not self._is_deployed:
            super().package_init(flow, step_name, environment)

    def task_pre_step(self, step_name: str, *rest: Any, **named: Any) -> None:
        """Register the pod, and tell `current` of its temporary folder."""
        if self._is_deployed:
            from metaflow.plugins import SIDECARS

            # It would look for log files that only Metaflow's own plugin makes; the runtime stores ours.
            SIDECARS.pop("save_logs_periodically", None)
        super().task_pre_step(step_name, *rest, **named)
        if self._is_deployed and variables.LOCAL_ROOT in os.environ:
            # It is written where it is read: task_finished is not to copy the working folder's elsewhere.
            del self.metadata
        if variables.TMPFS in os.environ:
            current._update_env({"tempdir": os.environ[variables.TMPFS]})


def _asked() -> str | None:
    """The command that Metaflow's command line is called for; it is not invoked yet when steps are made."""
    context = click.get_current_context(silent=True)
    root = None if context is None else context.find_root()
    return next(iter(getattr(root, "saved_args", None) or ()), None)
