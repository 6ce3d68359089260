"""Cron workflows; `embedded.crons` decides when they fire."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from metaflow_hera.embedded.api import objects
from metaflow_hera.embedded.api.http import INVALID_ARGUMENT, ApiError, Call, json_response, text_response
from metaflow_hera.embedded.api.objects import Changed
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules import validation
from metaflow_hera.embedded.rules.cron import check_schedule
from metaflow_hera.embedded.storage.store import Store

RESOURCE: Final = "cronworkflows"
NEW_STATUS = {
    "active": None, "lastScheduledTime": None, "conditions": None, "succeeded": 0, "failed": 0, "phase": "",
}  # fmt: skip


def lint(call: Call) -> Response:
    """Check a cron workflow without storing it."""
    cron = _given(call)
    cron["metadata"].setdefault("namespace", call.namespace)
    return json_response(cron)


def create(call: Call) -> Response:
    """Check and store a new cron workflow."""
    return json_response(objects.create(call, RESOURCE, _given(call), _tell(call)))


def get(call: Call) -> Response:
    """A cron workflow by name."""
    return json_response(objects.get(call, RESOURCE))


def list_all(call: Call) -> Response:
    """The cron workflows of a namespace."""
    return text_response(objects.list_all(call, RESOURCE))


def update(call: Call) -> Response:
    """Replace a cron workflow."""
    return json_response(objects.update(call, RESOURCE, _given(call), _tell(call)))


def delete(call: Call) -> Response:
    """Delete a cron workflow."""
    return json_response(
        objects.delete(call, RESOURCE, lambda: call.services.engine.crons.forget(call.namespace, call.name))
    )


def suspend(call: Call) -> Response:
    """Set `spec.suspend`."""

    def change(store: Store, cron: JSON) -> JSON:
        cron["spec"]["suspend"] = True
        return cron

    return json_response(objects.modify(call, RESOURCE, change, _tell(call)))


def resume(call: Call) -> Response:
    """Remove `spec.suspend`."""

    def change(store: Store, cron: JSON) -> JSON:
        cron["spec"].pop("suspend", None)
        return cron

    return json_response(objects.modify(call, RESOURCE, change, _tell(call)))


def _tell(call: Call) -> Changed:
    """A function that tells the engine about a change, in the transaction of the change."""
    engine = call.services.engine
    return lambda new, old: engine.crons.put(new, old, engine.wall())


def _given(call: Call) -> JSON:
    cron = call.body.get("cronWorkflow")
    if not isinstance(cron, dict):
        raise ApiError(INVALID_ARGUMENT, "cron workflow was not found in the request body")
    metadata, spec = cron.setdefault("metadata", {}), dict(cron.get("spec") or {})
    if (
        len(metadata.get("name") or "") > 52
    ):  # room for the time that Argo appends, as in validate.CronWorkflow
        text = f'cron workflow name "{metadata["name"]}" must not be more than 52 characters long (currently '
        raise ApiError(INVALID_ARGUMENT, f"{text}{len(metadata['name'])})")
    if spec.get("schedule"):
        raise ApiError(INVALID_ARGUMENT, "spec.schedule was removed in Argo 4: use spec.schedules")
    schedules = spec.get("schedules") or []
    if not schedules:
        raise ApiError(INVALID_ARGUMENT, "cron workflow must have at least one schedule")
    zone = spec.get("timezone")
    if zone:
        _check_zone(zone)
    for schedule in schedules:
        try:
            check_schedule(schedule)
        except ValueError as error:
            raise ApiError(INVALID_ARGUMENT, f"cron schedule {schedule} is malformed: {error}") from error
    policy, deadline = spec.get("concurrencyPolicy") or "", spec.get("startingDeadlineSeconds")
    if policy not in ("", "Allow", "Forbid", "Replace"):
        raise ApiError(INVALID_ARGUMENT, f"'{policy}' is not a valid concurrencyPolicy")
    if deadline is not None and deadline < 0:
        raise ApiError(INVALID_ARGUMENT, "startingDeadlineSeconds must be positive")
    for field in ("stopStrategy", "when"):
        if spec.get(field):
            raise ApiError(INVALID_ARGUMENT, f"spec.{field} is not implemented by the embedded Argo")
    workflow: JSON = {"metadata": {"name": metadata.get("name")}, "spec": spec.get("workflowSpec") or {}}
    spec["workflowSpec"] = workflow["spec"] = validation.normalise(workflow)["spec"]
    validation.validate_workflow(workflow, templates=_templates(call, workflow["spec"]))
    # An update keeps the record of what the cron workflow has started.
    stored = call.services.reader.object(RESOURCE, call.namespace, call.path.get("name") or "")
    status = cron.get("status") or (stored or {}).get("status") or {}
    return {"metadata": metadata, "spec": spec, "status": {**NEW_STATUS, **status}}


def _templates(call: Call, spec: JSON) -> dict[str, JSON]:
    name = (spec.get("workflowTemplateRef") or {}).get("name")
    found = call.services.reader.object("workflowtemplates", call.namespace, name) if name else None
    return {str(name): found} if found else {}


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ApiError(INVALID_ARGUMENT, f'invalid timezone "{zone}": unknown time zone {zone}') from error
