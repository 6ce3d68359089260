"""@schedule as cron workflows: one for each time zone, with all the schedules that are in it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hera.workflows import CronWorkflow, Parameter
from hera.workflows.models import Metadata, WorkflowTemplateRef

from metaflow_hera.contract.manifest import SCHEDULED_TIME_PARAMETER
from metaflow_hera.errors import UnsupportedError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation.cron import argo_schedule, check_zone
from metaflow_hera.translation.settings import Settings

DEFAULT_ZONE = "UTC"
"""Metaflow's schedules are in UTC; Argo's are by default in the zone of its controller's machine."""
STARTING_DEADLINE = 3540
"""Seconds: a run that was missed is still started within 59 minutes, before the next of an hourly schedule.
This value and the next are those of Metaflow's own plugin."""
HISTORY_LIMIT = 10_000
"""By default Argo keeps the last three runs that succeeded and one that failed."""


def check(flow: LoadedFlow) -> None:
    """Raise UnsupportedError for a @schedule that cannot be translated, or cannot start the flow."""
    if not flow.schedules:
        return
    for parameter in flow.parameters:
        if parameter.must_be_given:
            raise UnsupportedError(
                f"Parameter {parameter.name!r} is required and has no default, "
                "so no schedule can start the flow: give it a default, or remove @schedule."
            )
    by_zone(flow)


def by_zone(flow: LoadedFlow) -> dict[str, list[str]]:
    """The schedules of a flow as Argo's cron expressions, by time zone. Raises UnsupportedError."""
    found: dict[str, list[str]] = {}
    for expression, zone in flow.schedules:
        if zone is not None:
            check_zone(str(zone))
        schedules = found.setdefault(str(zone or DEFAULT_ZONE), [])
        schedule = argo_schedule(str(expression))
        if schedule not in schedules:
            schedules.append(schedule)
    return found


def cron_workflows(flow: LoadedFlow, settings: Settings, metadata: Metadata) -> Sequence[CronWorkflow]:
    """The cron workflows of a flow, with the labels and annotations of `metadata`."""
    return [
        _cron_workflow(settings, metadata, _name(settings.name, number, zone), zone, schedules)
        for number, (zone, schedules) in enumerate(by_zone(flow).items())
    ]


def _cron_workflow(
    settings: Settings, metadata: Metadata, name: str, zone: str, schedules: list[str]
) -> CronWorkflow:
    choices = settings.choices
    return CronWorkflow(
        name=name,
        namespace=settings.kubernetes_namespace,
        labels=metadata.labels,
        annotations=metadata.annotations,
        schedules=schedules,
        timezone=zone,
        concurrency_policy=choices.concurrency_policy or "Allow",
        starting_deadline_seconds=_or(choices.starting_deadline, STARTING_DEADLINE),
        successful_jobs_history_limit=_or(choices.successful_history_limit, HISTORY_LIMIT),
        failed_jobs_history_limit=_or(choices.failed_history_limit, HISTORY_LIMIT),
        workflow_template_ref=WorkflowTemplateRef(name=settings.name),
        # Only the workflows of a cron workflow know it, so it cannot be a default of the template.
        arguments=[Parameter(name=SCHEDULED_TIME_PARAMETER, value="{{workflow.scheduledTime}}")],
    )


def _name(deployment: str, number: int, zone: str) -> str:
    if number == 0:
        return deployment
    return f"{deployment}-{hashlib.sha1(zone.encode(), usedforsecurity=False).hexdigest()[:4]}"


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
