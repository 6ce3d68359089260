"""@trigger and @trigger_on_finish of a flow as plain data, their deploy-time functions evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.contract.manifest import event_name
from metaflow_hera.errors import UnsupportedError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.output import to_stderr
from metaflow_hera.metaflow_api.load.refusals import metaflow_errors

EVENT, RUN = "event", "run"
OPTIONS = ("reset_at", "when")
WHEN_ALL, WHEN_ANY = "all", "any"


@dataclass(frozen=True)
class Trigger:
    """An event that a flow waits for.

    `kind` is Metaflow's: "event", or "run" for that of a flow that has finished. `parameters` maps
    Parameters to keys of the event's payload; `filters` are what the payload must hold beside the event's
    name.
    """

    name: str
    kind: str
    parameters: Mapping[str, str]
    filters: Mapping[str, str]


@dataclass(frozen=True)
class TriggerGroup:
    """The events of one decorator: any of them is enough, or all are needed.

    Events that have arrived are forgotten whenever the cron expression `reset_cron` fires, in the zone
    `reset_zone`.
    """

    decorator: str
    triggers: Sequence[Trigger]
    any_of: bool
    reset_cron: str | None
    reset_zone: str | None


def trigger_groups(flow: LoadedFlow) -> Sequence[TriggerGroup]:
    """The groups of events that a flow waits for.

    Raises FlowError when a deploy-time function fails, UnsupportedError for a name that no event can have.
    """
    decorators = flow.state.flow._flow_decorators
    found = []
    for name, read in (("trigger", _event), ("trigger_on_finish", _finished)):
        for deco in decorators.get(name, ()):
            with metaflow_errors(), to_stderr():
                deco.format_deploytime_value()
            triggers = [read(flow, trigger) for trigger in deco.triggers]
            found.append(_group(f"@{name}", triggers, deco.options or {}))
    return found


def _event(flow: LoadedFlow, trigger: Mapping[str, Any]) -> Trigger:
    name = str(trigger["name"])
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise UnsupportedError(
            f"@trigger: {name!r} is not a name for an event: use only letters, digits, '_', '-' and '.'."
        )
    parameters = {str(key): str(value) for key, value in (trigger.get("parameters") or {}).items()}
    for key in parameters.values():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", key):
            raise UnsupportedError(
                f"@trigger: {key!r} of the event {name} is not a key of a payload: "
                "use only letters, digits, '_' and '-'."
            )
    return Trigger(name, EVENT, parameters, {})


def _finished(flow: LoadedFlow, trigger: Mapping[str, Any]) -> Trigger:
    """The event that a run publishes at its end; see Metaflow's ArgoWorkflowsInternalDecorator."""
    own = flow.project
    project = trigger.get("project") or own.get("project_name")
    branch = trigger.get("branch") or own.get("branch_name")
    if bool(project) != bool(branch):
        raise UnsupportedError(
            f"@trigger_on_finish: {trigger['flow']} needs both its project and its project_branch, "
            "or a flow with @project to take them from."
        )
    parts = [part for part in (project, branch, trigger["flow"]) if part]
    filters = {"auto-generated-by-metaflow": "True", "project_name": project, "branch_name": branch}
    name = event_name(".".join(parts), "end")
    return Trigger(name, RUN, {}, {key: value for key, value in filters.items() if value})


def _group(decorator: str, triggers: Sequence[Trigger], options: Mapping[str, Any]) -> TriggerGroup:
    unknown = [key for key in options if key not in OPTIONS]
    if unknown:
        raise UnsupportedError(
            f"{decorator} has the unknown option {unknown[0]!r}: it takes {' and '.join(OPTIONS)}."
        )
    when = options.get("when", WHEN_ALL)
    if when not in (WHEN_ALL, WHEN_ANY):
        raise UnsupportedError(
            f"{decorator} has {when!r} for the option 'when': 'all' and 'any' are possible."
        )
    reset = options.get("reset_at") or {}
    if (
        not isinstance(reset, Mapping)
        or not reset.keys() <= {"cron", "timezone"}
        or (reset and "cron" not in reset)
    ):
        raise UnsupportedError(
            f"{decorator} has {reset!r} for the option 'reset_at', which takes "
            f"{{'cron': ..., 'timezone': ...}}."
        )
    return TriggerGroup(
        decorator, triggers, when == WHEN_ANY and len(triggers) > 1, reset.get("cron"), reset.get("timezone")
    )
