"""Sensors of Argo Events; `embedded.events` does their work."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from starlette.responses import Response

from metaflow_hera.embedded.api import objects
from metaflow_hera.embedded.api.http import INVALID_ARGUMENT, ApiError, Call, json_response, text_response
from metaflow_hera.embedded.api.objects import Changed
from metaflow_hera.embedded.events import paths, triggers
from metaflow_hera.embedded.events.sensors import RESOURCE
from metaflow_hera.embedded.expressions import gotemplate, regexp
from metaflow_hera.embedded.expressions.when import WhenError
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules.cron import check_schedule
from metaflow_hera.embedded.rules.field_types import WrongType, without_unknown
from metaflow_hera.embedded.rules.implemented_fields import not_implemented


def create(call: Call) -> Response:
    """Check and store a new sensor."""
    return json_response(objects.create(call, RESOURCE, _given(call), _tell(call)))


def get(call: Call) -> Response:
    """A sensor by name."""
    return json_response(objects.get(call, RESOURCE))


def list_all(call: Call) -> Response:
    """The sensors of a namespace."""
    return text_response(objects.list_all(call, RESOURCE))


def update(call: Call) -> Response:
    """Replace a sensor."""
    return json_response(objects.update(call, RESOURCE, _given(call), _tell(call)))


def delete(call: Call) -> Response:
    """Delete a sensor, and what has arrived for it."""
    engine = call.services.engine
    return json_response(
        objects.delete(call, RESOURCE, lambda: engine.sensors.forget(call.namespace, call.name))
    )


def _tell(call: Call) -> Changed:
    return lambda new, old: call.services.engine.sensors.put(new, old)


def _given(call: Call) -> JSON:
    sensor = call.body.get("sensor")
    if not isinstance(sensor, dict):
        raise ApiError(INVALID_ARGUMENT, "sensor was not found in the request body")
    try:
        spec = without_unknown(sensor.get("spec") or {}, "events.SensorSpec")
        without_unknown(sensor.setdefault("metadata", {}), "ObjectMeta", "metadata")
    except WrongType as error:
        raise ApiError(INVALID_ARGUMENT, str(error)) from error
    for path in not_implemented(spec, "events.SensorSpec", "spec"):
        raise ApiError(INVALID_ARGUMENT, f"{path} is not implemented by the embedded Argo")
    try:
        _check(spec)
    except (ValueError, WhenError) as error:
        raise ApiError(INVALID_ARGUMENT, str(error)) from error
    return {"metadata": sensor["metadata"], "spec": spec, "status": {}}


def _check(spec: JSON) -> None:
    """Raise ValueError for what Argo Events (controllers/sensor/validate.go) or this server refuses."""
    names = [each.get("name") or "" for each in spec.get("dependencies") or ()]
    if not names:
        raise ValueError("no event dependencies found")
    if "" in names:
        raise ValueError("event dependency must define a name")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is defined more than once")
    for each in spec["dependencies"]:
        _check_filters(each.get("filters") or {})
    if not spec.get("triggers"):
        raise ValueError("no triggers found")
    for trigger in spec["triggers"]:
        _check_trigger(trigger, names)


def _check_filters(filters: JSON) -> None:
    for each in (
        *(filters.get("data") or ()),
        *(f for e in filters.get("exprs") or () for f in e.get("fields") or ()),
    ):
        paths.check(each.get("path") or "")
    for each in filters.get("data") or ():
        if each.get("type") == "string":
            for pattern in each.get("value") or ():
                regexp.check(pattern)


def _check_trigger(trigger: JSON, names: list[str]) -> None:
    template = trigger.get("template") or {}
    if not template.get("name"):
        raise ValueError("trigger must define a name")
    for kind, operation in (("k8s", "create"), ("argoWorkflow", "submit")):
        found = (template.get(kind) or {}).get("operation") or operation
        if found != operation:
            raise ValueError(f"the operation {found} is not implemented by the embedded Argo")
    triggers.source_of(trigger)
    text = triggers.condition(trigger, names)
    for name in triggers.names_in(text):
        if name not in names:
            raise ValueError(f"invalid condition expression, unknown dependency {name}")
    triggers.is_met(text, names)
    for parameter in triggers.parameters_of(trigger):
        source = parameter.get("src") or {}
        if source.get("dependencyName") not in names:
            raise ValueError(f"the parameter for {parameter.get('dest')} names no dependency of the sensor")
        paths.check(parameter.get("dest") or "")
        paths.check(source.get("dataKey") or "")
        gotemplate.check(source.get("dataTemplate") or "")
    for reset in template.get("conditionsReset") or ():
        by_time = reset.get("byTime") or {}
        check_schedule(by_time.get("cron") or "")
        if by_time.get("timezone"):
            _check_zone(by_time["timezone"])


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, OSError) as error:
        raise ValueError(f"unknown time zone {zone}") from error
