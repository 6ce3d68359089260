"""Creating a workflow: from a complete object, from a template, or from an earlier workflow."""

from __future__ import annotations

import copy
from typing import Any

from metaflow_hera.embedded.api.http import (
    INTERNAL,
    INVALID_ARGUMENT,
    ApiError,
    Call,
    check_size,
    not_found,
    unsupported,
)
from metaflow_hera.embedded.api.objects import (
    already_exists,
    check_annotations,
    check_labels,
    generate_name,
    new_metadata,
)
from metaflow_hera.embedded.controller import manual
from metaflow_hera.embedded.controller.operation import LABEL_COMPLETED
from metaflow_hera.embedded.engine import Engine
from metaflow_hera.embedded.errors import Refused
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.labels import TEMPLATE_LABEL
from metaflow_hera.embedded.rules import validation
from metaflow_hera.embedded.storage.reader import Reader

RESOURCE = "workflows"
OPTIONS = frozenset(
    [
        "name",
        "generateName",
        "entryPoint",
        "parameters",
        "labels",
        "annotations",
        "dryRun",
        "serverDryRun",
        "serviceAccount",
        "priority",
    ]
)

# What Argo's controller notes in every workflow when it starts it: there are no artifacts.
CONTROLLERS_STATUS: JSON = {
    "artifactRepositoryRef": {"default": True, "artifactRepository": {}},
    "artifactGCStatus": {"notSpecified": True},
}


def create_whole(call: Call, given: JSON) -> JSON:
    """Store and start a workflow that the caller wrote; `call.body` may ask for a dry run."""
    workflow = {
        "metadata": given.get("metadata") or {},
        "spec": validation.normalise(given).get("spec") or {},
    }
    template = template_of(call, workflow)
    check(workflow, template)
    if call.body.get("serverDryRun") or (call.body.get("createOptions") or {}).get("dryRun"):
        return given
    return store(call, workflow, template)


def submit(call: Call) -> JSON:
    """Store and start a workflow of a template, as `submitOptions` say."""
    kind, name = call.body.get("resourceKind"), call.body.get("resourceName") or ""
    if kind not in ("WorkflowTemplate", "workflowtemplate", "workflowtemplates", "wftmpl"):
        if kind in ("CronWorkflow", "ClusterWorkflowTemplate"):
            raise unsupported(f"submitting a {kind}")
        raise ApiError(INVALID_ARGUMENT, f"Resource kind '{kind}' is not supported for submitting")
    template = call.services.reader.object("workflowtemplates", call.namespace, name)
    if template is None:
        raise not_found("workflowtemplates", name)
    workflow: JSON = {
        "metadata": {"generateName": f"{name}-", "labels": {TEMPLATE_LABEL: name}},
        "spec": {"arguments": {}, "workflowTemplateRef": {"name": name}},
    }
    options = call.body.get("submitOptions") or {}
    apply_options(workflow, options)
    check(workflow, template)
    if options.get("dryRun") or options.get("serverDryRun"):
        return answer({**workflow, "status": new_status(template)})
    return store(call, workflow, template)


def resubmit(call: Call, old: JSON) -> JSON:
    """Start a new workflow with the spec of an old one, and with the current version of its template."""
    if call.body.get("memoized"):
        raise unsupported("memoized")
    name = generate_name(old["metadata"].get("generateName") or f"{old['metadata']['name']}-")
    workflow = manual.resubmit(old, name, call.body.get("parameters") or [])
    template = template_of(call, workflow)
    check(workflow, template)
    return store(call, workflow, template)


def store(call: Call, workflow: JSON, template: JSON | None) -> JSON:
    """Give a checked workflow its metadata and its status, store and start it."""
    engine = call.services.engine
    return answer(engine.call(lambda: _stored(engine, call.namespace, workflow, template)))


def submitted(engine: Engine, namespace: str, workflow: JSON) -> JSON:
    """Check, store and start a workflow that the server itself creates, within a transaction of the engine.

    Raises ApiError or Invalid, which say what is wrong with it.
    """
    template = _template(engine.store, namespace, workflow)
    workflow = {**workflow, "spec": validation.normalise(workflow)["spec"]}
    check(workflow, template)
    return _stored(engine, namespace, workflow, template)


def _stored(engine: Engine, namespace: str, workflow: JSON, template: JSON | None) -> JSON:
    version, now = engine.store.next_version(), engine.clock()
    created = copy.deepcopy(workflow)
    created["metadata"] = new_metadata(RESOURCE, workflow["metadata"], namespace, version, now)
    if engine.store.head(namespace, created["metadata"]["name"]) is not None:
        raise already_exists(RESOURCE, created["metadata"])
    created["status"] = new_status(template)
    check_size(created)
    shown = copy.deepcopy(created)
    created["status"].update(copy.deepcopy(CONTROLLERS_STATUS))
    if template is not None:
        merged = validation.merge_specs(workflow["spec"], template["spec"])
        created["status"]["storedWorkflowTemplateSpec"] = copy.deepcopy(merged)
    apply_workflow_metadata(created)
    if (created["metadata"].get("labels") or {}).get(LABEL_COMPLETED) == "true":
        # Argo stores such a workflow and never looks at it again.
        raise ApiError(INVALID_ARGUMENT, f"the label {LABEL_COMPLETED} is the controller's own: leave it out")
    engine.add(created)
    return shown


def apply_workflow_metadata(workflow: JSON) -> None:
    """Labels and annotations of `spec.workflowMetadata`, as Argo's controller sets them at the start."""
    spec = workflow["status"].get("storedWorkflowTemplateSpec") or workflow["spec"]
    meta = workflow["metadata"]
    for kind, values in (spec.get("workflowMetadata") or {}).items():
        if kind == "labels":
            check_labels(RESOURCE, meta["name"], values)
        meta[kind] = {**(meta.get(kind) or {}), **values}
        if kind == "annotations":  # with too many, a cluster stores nothing of the run, which waits for ever
            check_annotations(RESOURCE, meta["name"], meta[kind])


def apply_options(workflow: JSON, options: JSON) -> None:
    """Argo's `submitOptions`; see `ApplySubmitOpts` in its `workflow/util`.

    Raises:
        ApiError: an option is unknown, not supported or malformed.
    """
    for option, value in options.items():
        if option not in OPTIONS and value:
            raise unsupported(f"submitOptions.{option}")
    meta, spec = workflow["metadata"], workflow["spec"]
    for option, field in (
        ("entryPoint", "entrypoint"), ("serviceAccount", "serviceAccountName"), ("priority", "priority"),
    ):  # fmt: skip
        if options.get(option) not in (None, ""):
            spec[field] = options[option]
    for option in ("labels", "annotations"):
        if options.get(option):
            meta[option] = {**(meta.get(option) or {}), **_pairs(option, options[option])}
    override_parameters(spec, options.get("parameters") or [])
    for option in ("name", "generateName"):
        if options.get(option):
            meta[option] = options[option]


def override_parameters(spec: JSON, given: list[str]) -> None:
    """Set arguments from texts NAME=VALUE. Raises ApiError for another form."""
    try:
        manual.override({"spec": spec}, given)
    except Refused as error:
        raise ApiError(INTERNAL, str(error)) from error


def _pairs(option: str, text: str) -> dict[str, str]:
    pairs = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign or not name:
            words = "labels" if option == "labels" else "Annotations"
            raise ApiError(
                INTERNAL, f"expected {words} of the form: NAME1=VALUE2,NAME2=VALUE2. Received: {text}: {part}"
            )
        pairs[name.strip()] = value
    return pairs


def check(workflow: JSON, template: JSON | None, lint: bool = False) -> None:
    """Refuse a workflow that Argo, or the embedded Argo, would not run."""
    templates = {template["metadata"]["name"]: template} if template else {}
    validation.validate_workflow(workflow, templates=templates, lint=lint)


def template_of(call: Call, workflow: JSON) -> JSON | None:
    """The template that a workflow refers to."""
    return _template(call.services.reader, call.namespace, workflow)


def _template(reader: Reader, namespace: str, workflow: JSON) -> JSON | None:
    reference = workflow["spec"].get("workflowTemplateRef") or {}
    name = reference.get("name")
    if reference.get("clusterScope"):
        raise unsupported("spec.workflowTemplateRef.clusterScope")
    if not name:
        return None
    found = reader.object("workflowtemplates", namespace, name)
    if found is None:
        raise not_found("workflowtemplates", name)
    return found


def new_status(template: JSON | None) -> JSON:
    """The status of a workflow at its creation; it keeps the templates that it was created from."""
    status: JSON = {"startedAt": None, "finishedAt": None}
    if template is not None:
        name = template["metadata"]["name"]
        status["storedTemplates"] = {
            f"namespaced/{name}/{part['name']}": part for part in template["spec"].get("templates") or ()
        }
    return status


def answer(workflow: JSON) -> JSON:
    """A workflow as it is shown: without empty metadata."""
    meta: dict[str, Any] = {
        key: value for key, value in workflow["metadata"].items() if value not in (None, {}, [])
    }
    return {**workflow, "metadata": meta}
