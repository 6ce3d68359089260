"""Workflow templates."""

from __future__ import annotations

from functools import partial
from typing import Final

from starlette.responses import Response

from metaflow_hera.embedded.api import objects
from metaflow_hera.embedded.api.http import INVALID_ARGUMENT, ApiError, Call, json_response, text_response
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules import validation

RESOURCE: Final = "workflowtemplates"


def lint(call: Call) -> Response:
    """Check a template without storing it."""
    template = _given(call)
    validation.validate_template(template)
    template["metadata"].setdefault("namespace", call.namespace)
    return json_response(template)


def create(call: Call) -> Response:
    """Check and store a new template."""
    template = _given(call)
    validation.validate_template(template)
    return json_response(objects.create(call, RESOURCE, template, _kept(call)))


def get(call: Call) -> Response:
    """A template by name."""
    return json_response(objects.get(call, RESOURCE))


def list_all(call: Call) -> Response:
    """The templates of a namespace."""
    return text_response(objects.list_all(call, RESOURCE))


def update(call: Call) -> Response:
    """Replace a template; its workflows keep the version that they started with."""
    template = _given(call)
    validation.validate_template(template)
    return json_response(objects.update(call, RESOURCE, template, _kept(call)))


def delete(call: Call) -> Response:
    """Delete a template; its workflows continue."""
    store = call.services.engine.store
    gone = partial(store.forget_revisions, call.namespace, call.name)
    return json_response(objects.delete(call, RESOURCE, gone))


def _kept(call: Call) -> objects.Changed:
    """What keeps each revision of a template, for the page."""
    engine = call.services.engine

    def keep(new: JSON, old: JSON | None) -> None:
        engine.store.put_revision(new, engine.clock())

    return keep


def _given(call: Call) -> JSON:
    template = call.body.get("template")
    if not isinstance(template, dict):
        raise ApiError(INVALID_ARGUMENT, "workflow template was not found in the request body")
    template.setdefault("metadata", {})
    return {"metadata": template["metadata"], "spec": validation.normalise(template).get("spec") or {}}
