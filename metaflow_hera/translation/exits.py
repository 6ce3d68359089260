"""What runs when a run has ended: @exit_hook's functions and notifications, as Argo's exit handler.

One pod for each image runs them (`runtime.hooks`), only if there is something to do for the run's outcome.
Each is a task that may fail without failing the run: a hook does not decide how a run ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hera.workflows import DAG, Container, Env, Parameter, Task
from hera.workflows.models import ContinueOn

from metaflow_hera.choices.checks import pairs
from metaflow_hera.choices.deployment import Choices
from metaflow_hera.contract import environment
from metaflow_hera.contract.manifest import ERROR, OUTCOME, SUCCESS
from metaflow_hera.metaflow_api.load.compute import Compute, compute_of
from metaflow_hera.metaflow_api.load.config import links, own_setting
from metaflow_hera.metaflow_api.load.exit_hooks import exit_hooks
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation.argo_tags import input_parameter
from metaflow_hera.translation.compute import beside_options, container_fields
from metaflow_hera.translation.container_templates import ContainerTemplates, bootstrap
from metaflow_hera.translation.names import Names

WHEN = {
    SUCCESS: "'{{workflow.status}}' == 'Succeeded'",
    ERROR: "'{{workflow.status}}' != 'Succeeded'",
}
REQUESTS = {"cpu": "500m", "memory": "512M"}
PAGER_DUTY = "https://events.pagerduty.com"
INCIDENT_IO = "https://api.incident.io"
"""Where their events go, unless METAFLOW_HERA_PAGER_DUTY_URL and METAFLOW_HERA_INCIDENT_IO_URL name another
region."""
TIME_LIMIT = 3600
"""Seconds that the hooks of a run may take: one that hangs must not keep the run from ending."""


@dataclass
class Hooks:
    """What one pod runs for each outcome: functions, and whether to notify."""

    functions: dict[str, list[str]] = field(default_factory=lambda: {SUCCESS: [], ERROR: []})
    notify: dict[str, bool] = field(default_factory=lambda: {SUCCESS: False, ERROR: False})

    def concerns(self, outcome: str) -> bool:
        """Whether there is anything to do for an outcome."""
        return bool(self.functions[outcome]) or self.notify[outcome]


def exit_handler(
    flow: LoadedFlow, containers: ContainerTemplates, names: Names, choices: Choices
) -> Sequence[Container | DAG]:
    """The templates of the exit handler, its entrypoint last; none if there is nothing to do."""
    templates: list[Container | DAG] = []
    tasks: list[Task] = []
    task_names = Names()
    for image, hooks in _by_image(flow, choices).items():
        template = _container(flow, containers, names.give("exit-hooks"), image, hooks, choices)
        templates.append(template)
        tasks += [
            Task(
                name=task_names.give(f"on-{outcome}"),
                template=template.name,
                arguments={OUTCOME: outcome},
                when=condition,
                continue_on=ContinueOn(failed=True, error=True),
            )
            for outcome, condition in WHEN.items()
            if hooks.concerns(outcome)
        ]
    if tasks:
        templates.append(DAG(name=names.give("exit"), tasks=[*tasks]))
    return templates


def _by_image(flow: LoadedFlow, choices: Choices) -> Mapping[str | None, Hooks]:
    found: dict[str | None, Hooks] = {}
    for hook in exit_hooks(flow):
        hooks = found.setdefault(hook.image, Hooks())
        hooks.functions[SUCCESS] += hook.on_success
        hooks.functions[ERROR] += hook.on_error
    if choices.notify_on_success or choices.notify_on_error:
        found.setdefault(None, Hooks()).notify.update(
            {SUCCESS: choices.notify_on_success, ERROR: choices.notify_on_error}
        )
    return found


def _container(
    flow: LoadedFlow,
    containers: ContainerTemplates,
    name: str,
    image: str | None,
    hooks: Hooks,
    choices: Choices,
) -> Container:
    compute = _small(beside_options(compute_of(flow, flow.graph.start), choices))
    if image is not None:
        compute = replace(compute, image=image, executable=None)
    about: dict[str, Any] = {"functions": hooks.functions, "notify": hooks.notify}
    if any(hooks.notify.values()):
        about["places"] = _places(flow, choices)
    fixed = {environment.HOOKS: json.dumps(about), environment.PATH: ""}
    by_argo = {
        environment.OUTCOME: input_parameter(OUTCOME),
        environment.STATUS: "{{workflow.status}}",
    }
    return Container(
        name=name,
        inputs=[Parameter(name=OUTCOME)],
        command=[containers.python(compute)],
        args=["-c", bootstrap(flow.datastore)],
        env=[*containers.common(fixed, {}), *(Env(name=key, value=value) for key, value in by_argo.items())],
        active_deadline_seconds=str(TIME_LIMIT),
        **container_fields(compute),
    )


def _small(compute: Compute) -> Compute:
    """The pod of a step without what only the step needs: its image, service account and place stay."""
    return replace(
        compute,
        requests=REQUESTS,
        limits={},
        tmpfs_path="",
        shared_memory=0,
        persistent_volume_claims={},
        port=None,
    )


def _places(flow: LoadedFlow, choices: Choices) -> dict[str, Any]:
    """Whom to notify, and what the messages link to; see `runtime.notifications`."""
    places: dict[str, Any] = {"links": asdict(links()), "project": dict(flow.project)}
    if choices.notify_slack_webhook_url:
        places["slack"] = {"url": choices.notify_slack_webhook_url}
    if choices.notify_pager_duty_integration_key:
        places["pager_duty"] = {
            "url": (own_setting("PAGER_DUTY_URL") or PAGER_DUTY).rstrip("/"),
            "key": choices.notify_pager_duty_integration_key,
        }
    if choices.notify_incident_io_api_key:
        places["incident_io"] = {
            "url": (own_setting("INCIDENT_IO_URL") or INCIDENT_IO).rstrip("/"),
            "key": choices.notify_incident_io_api_key,
            "source": choices.incident_io_alert_source_config_id,
            "metadata": pairs("--incident-io-metadata", choices.incident_io_metadata),
        }
    return places
