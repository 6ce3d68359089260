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
    template = _checked(call)
    template["metadata"].setdefault("namespace", call.namespace)
    return json_response(template)


def create(call: Call) -> Response:
    """Check and store a new template."""
    template = _checked(call)
    return json_response(objects.create(call, RESOURCE, template, _kept(call)))


def get(call: Call) -> Response:
    """A template by name."""
    return json_response(objects.get(call, RESOURCE))


def list_all(call: Call) -> Response:
    """The templates of a namespace."""
    return text_response(objects.list_all(call, RESOURCE))


def update(call: Call) -> Response:
    """Replace a template; its workflows keep the version that they started with."""
    template = _checked(call)
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


def _checked(call: Call) -> JSON:
    """The given template, checked, as Argo's server then answers and stores it.

    Its check leaves what `podMetadata` gives to all templates in those that have annotations, or labels, of
    their own (addPodMetadata in its sources: context.go).
    """
    template = _given(call)
    validation.validate_template(template)
    of_all = template["spec"].get("podMetadata") or {}
    for each in template["spec"].get("templates") or ():
        metadata = each.get("metadata") or {}
        for kind in ("annotations", "labels"):
            if metadata.get(kind):
                metadata[kind] = {**(of_all.get(kind) or {}), **metadata[kind]}
    return template


def _given(call: Call) -> JSON:
    template = call.body.get("template")
    if not isinstance(template, dict):
        raise ApiError(INVALID_ARGUMENT, "workflow template was not found in the request body")
    template.setdefault("metadata", {})
    return {"metadata": template["metadata"], "spec": validation.normalise(template).get("spec") or {}}
