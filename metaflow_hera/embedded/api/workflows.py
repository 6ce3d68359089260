"""Workflows: the calls that create, show and change them. Streams are in `streams`."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from starlette.responses import Response

from metaflow_hera.embedded.api import submission
from metaflow_hera.embedded.api.http import (
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Call,
    json_response,
    not_found,
    text_response,
    unsupported,
)
from metaflow_hera.embedded.api.selection import Fields, fill, label_selector, name_selector, page
from metaflow_hera.embedded.controller import manual
from metaflow_hera.embedded.controller.messages import Resume, Shutdown, Suspend
from metaflow_hera.embedded.controller.suspension import NotSupplied, settled_outputs
from metaflow_hera.embedded.errors import Refused
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules import validation
from metaflow_hera.embedded.storage.reader import Head, Reader, dump

RESOURCE = "workflows"
LATEST = "@latest"


def create(call: Call) -> Response:
    """Start a workflow from a complete object."""
    return json_response(submission.create_whole(call, _given(call)))


def submit(call: Call) -> Response:
    """Start a workflow of a template."""
    return json_response(submission.submit(call))


def lint(call: Call) -> Response:
    """Check a workflow without starting it."""
    given = _given(call)
    workflow = {
        "metadata": given.get("metadata") or {},
        "spec": validation.normalise(given).get("spec") or {},
    }
    submission.check(workflow, submission.template_of(call, workflow), lint=True)
    return json_response({**given, "metadata": workflow["metadata"], "spec": workflow["spec"]})


def get(call: Call) -> Response:
    """A workflow by name, or `@latest`."""
    reader, fields = call.services.reader, Fields(call.query.get("fields", ""))
    head = find(call)
    if not fields:
        return text_response("".join(reader.workflow_text(head)))
    nodes = not fields.without("status.nodes")
    return json_response(fill(fields.clean(reader.workflow(head, nodes))))


def list_all(call: Call) -> Response:
    """The workflows of a namespace, or of all."""
    reader, query = call.services.reader, call.query
    found, metadata = page(select(reader, call.namespace, query), query)
    metadata["resourceVersion"] = str(reader.version())
    fields = Fields(query.get("fields", ""))
    if not fields:
        items = ["".join(reader.workflow_text(head)) for head in found]
        return text_response(
            f'{{"metadata":{dump(metadata)},"items":{"[" + ",".join(items) + "]" if items else "null"}}}'
        )
    inner = Fields(query["fields"], prefix="items.")
    nodes = not fields.without("items.status.nodes")
    shown = [fill(inner.clean(reader.workflow(head, nodes))) for head in found]
    if fields.without("items"):
        shown = []
    return json_response(
        {"metadata": fields.clean({"metadata": metadata}).get("metadata", {}), "items": shown or None}
    )


def select(reader: Reader, namespace: str, query: Any) -> list[Head]:
    """The workflows that the query chooses: selectors, `nameFilter`, `createdAfter`, `finishedBefore`."""
    chosen = label_selector(query.get("listOptions.labelSelector", ""))
    name = name_selector(query.get("listOptions.fieldSelector", ""))
    heads = [
        head
        for head in reader.heads(namespace)
        if chosen(head.labels) and (name is None or head.name == name)
    ]
    part = query.get("listOptions.namePrefix") or query.get("nameFilter")
    if part:
        raise unsupported("nameFilter")
    for option in ("createdAfter", "finishedBefore"):
        if query.get(option):
            limit = _time(option, query[option])
            heads = [head for head in heads if _within(head, option, limit)]
    return heads


def delete(call: Call) -> Response:
    """Delete a workflow, and end those of its pods that still run at once."""
    engine = call.services.engine
    head = find(call)
    engine.call(lambda: engine.remove(head.uid))
    return json_response({})


def stop(call: Call) -> Response:
    """End a workflow; its exit handler still runs."""
    return _shut_down(call, "Stop")


def terminate(call: Call) -> Response:
    """End a workflow; its exit handler does not run."""
    return _shut_down(call, "Terminate")


def suspend(call: Call) -> Response:
    """Start no new pods of a workflow."""
    engine, head = call.services.engine, find(call)

    def change() -> None:
        workflow = engine.workflow(head.uid)
        if workflow is None:
            raise ApiError(
                INVALID_ARGUMENT, "timed out waiting for the condition: cannot suspend completed workflows"
            )
        workflow["spec"]["suspend"] = True
        engine.touch(head.uid)
        engine.send(head.uid, Suspend())

    engine.call(change)
    return _shown(call)


def resume(call: Call) -> Response:
    """Undo a suspend, and resume suspended nodes; a workflow that is not suspended stays as it is."""
    _refuse_selector(call)
    engine, head = call.services.engine, find(call)

    def change() -> None:
        workflow = engine.workflow(head.uid)
        if workflow is not None:
            for node in (workflow["status"].get("nodes") or {}).values():
                if node["type"] == "Suspend" and node["phase"] == "Running":
                    settled_outputs(node)
            workflow["spec"].pop("suspend", None)
            engine.touch(head.uid)
            engine.send(head.uid, Resume())

    try:
        engine.call(change)
    except NotSupplied as error:
        raise ApiError(INTERNAL, str(error)) from error
    return _shown(call)


def retry(call: Call) -> Response:
    """Continue a failed workflow from where it failed; it keeps its name."""
    for option in ("restartSuccessful", "nodeFieldSelector"):
        if call.body.get(option):
            raise unsupported(option)
    engine, head = call.services.engine, find(call)

    def change() -> None:
        running = engine.workflow(head.uid)
        if running is not None:
            phase = running["status"].get("phase") or "Running"
            raise ApiError(INVALID_ARGUMENT, f"Cannot retry a workflow in phase {phase}")
        old = engine.store.workflow(head)
        new = manual.retry(old, call.body.get("parameters") or [], engine.clock())
        engine.replace(new, old["status"].get("nodes") or {})

    try:
        engine.call(change)
    except Refused as error:
        raise ApiError(INVALID_ARGUMENT, str(error)) from error
    return _shown(call)


def resubmit(call: Call) -> Response:
    """Start a new workflow with the same spec."""
    reader = call.services.reader
    try:
        made = submission.resubmit(call, reader.workflow(find(call), nodes=False))
    except validation.Invalid:
        raise
    except Refused as error:
        raise ApiError(INTERNAL, str(error)) from error
    return json_response(made)


def _shut_down(call: Call, strategy: str) -> Response:
    _refuse_selector(call)
    engine, head = call.services.engine, find(call)

    def change() -> None:
        workflow = engine.workflow(head.uid)
        if workflow is None:
            raise ApiError(
                INTERNAL,
                f'cannot shutdown a completed workflow: workflow: "{head.name}", '
                f'namespace: "{head.namespace}"',
            )
        workflow["spec"]["shutdown"] = strategy
        engine.touch(head.uid)
        engine.send(head.uid, Shutdown(strategy))

    engine.call(change)
    return _shown(call)


def find(call: Call) -> Head:
    """The workflow that the path names."""
    return find_named(call.services.reader, call.namespace, call.name)


def find_named(reader: Reader, namespace: str, name: str) -> Head:
    """A workflow by its name, or `@latest`. Raises ApiError if there is none."""
    if name == LATEST:
        heads = sorted(reader.heads(namespace), key=lambda head: head.created)
        if not heads:
            raise ApiError(NOT_FOUND, "no workflows found")
        return heads[-1]
    head = reader.head(namespace, name)
    if head is None:
        raise not_found(RESOURCE, name)
    return head


def _shown(call: Call) -> Response:
    return text_response("".join(call.services.reader.workflow_text(find(call))))


def _given(call: Call) -> JSON:
    workflow = call.body.get("workflow")
    if not isinstance(workflow, dict):
        raise ApiError(INVALID_ARGUMENT, "workflow body not specified")
    return copy.deepcopy(workflow)


def _refuse_selector(call: Call) -> None:
    if call.body.get("nodeFieldSelector"):
        raise unsupported("nodeFieldSelector")


def _time(option: str, text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, f"{option} must be a time such as 2026-01-31T12:00:00Z") from error


def _within(head: Head, option: str, limit: float) -> bool:
    if option == "createdAfter":
        return head.created > limit
    return head.finished is not None and head.finished < limit
