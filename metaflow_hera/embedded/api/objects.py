"""Objects as Kubernetes' API server keeps them: names, versions, creation and update.

Workflow templates and cron workflows differ only in what they are called and how they are checked; this
is what they have in common. Workflows take their names and their metadata from here.
"""

from __future__ import annotations

import copy
import random
import re
import uuid
from collections.abc import Callable

from metaflow_hera.embedded.api.http import (
    ALREADY_EXISTS,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Call,
    check_size,
    not_found,
)
from metaflow_hera.embedded.api.selection import label_selector, name_selector, page
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import timestamp
from metaflow_hera.embedded.storage.reader import Resource, dump
from metaflow_hera.embedded.storage.store import Store

# Kubernetes' alphabet for generated names: no vowels, no 0, 1 and 3 that look like them.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX = 5
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = f"({NAME_PART})?"
ANNOTATIONS_LIMIT = 256 * 1024
KINDS = {
    "workflows": "Workflow",
    "workflowtemplates": "WorkflowTemplate",
    "cronworkflows": "CronWorkflow",
}
"""What Kubernetes calls the resources where it refuses one for its metadata."""
UNCHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
"""What Kubernetes adds where something is missing or too long, before the rules of Argo's complete CRDs."""
SERVER_KEEPS = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "namespace",
    "selfLink",
    "managedFields",
)


def generate_name(base: str) -> str:
    """A name from `generateName`, as Kubernetes' `SimpleNameGenerator` creates it."""
    return base[: 63 - SUFFIX] + "".join(random.choices(ALPHABET, k=SUFFIX))


def new_metadata(resource: str, given: JSON, namespace: str, version: int, now: float) -> JSON:
    """The metadata of a new object: the given one, checked, and what the server adds.

    Raises:
        ApiError: no name, or a name, label or namespace that Kubernetes refuses.
    """
    given = {key: value for key, value in given.items() if value not in (None, {}, [])}
    other = given.get("namespace") or namespace
    if other != namespace:
        raise ApiError(
            INVALID_ARGUMENT,
            f"the namespace of the provided object does not match the namespace sent on the request: {other}",
        )
    if len(namespace) > 63 or not re.fullmatch(LABEL, namespace):  # so no cluster has it
        raise ApiError(NOT_FOUND, f'namespaces "{namespace}" not found')
    name = given.get("name") or ""
    if not name and given.get("generateName"):
        name = generate_name(given["generateName"])
    check_name(resource, name)
    check_labels(resource, name, given.get("labels") or {})
    check_annotations(resource, name, given.get("annotations") or {})
    kept = {key: value for key, value in given.items() if key not in (*SERVER_KEEPS, "name", "generateName")}
    generated = {"generateName": given["generateName"]} if given.get("generateName") else {}
    return {
        "name": name,
        **generated,
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": timestamp(now),
        **kept,
    }


def check_name(resource: str, name: str) -> None:
    """Refuse a name that Kubernetes refuses, in its words."""
    if not name:
        text = "metadata.name: Required value: name or generateName is required"
        raise _invalid(resource, name, f"[{text}, {UNCHECKED}]")
    if len(name) > 253:
        text = f'metadata.name: Invalid value: "{name}": must be no more than 253 bytes'
        raise _invalid(resource, name, text)
    if not re.fullmatch(SUBDOMAIN, name):
        raise _invalid(
            resource,
            name,
            f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower '
            "case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character "
            f"(e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')",
        )


def check_labels(resource: str, name: str, labels: JSON) -> None:
    """Refuse labels that Kubernetes refuses."""
    for key, value in labels.items():
        _check_key(resource, name, "labels", key)
        if not isinstance(value, str) or len(value) > 63:
            why = "must be no more than 63 characters"
        elif not re.fullmatch(LABEL_VALUE, value):
            why = (
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
                "'.', and must start and end with an alphanumeric character (e.g. 'MyValue', "
                f" or 'my_value',  or '12345', regex used for validation is '{LABEL_VALUE}')"
            )
        else:
            continue
        raise _invalid(resource, name, f'metadata.labels: Invalid value: "{value}": {why}')


def check_annotations(resource: str, name: str, annotations: JSON) -> None:
    """Refuse annotations that Kubernetes refuses: for a key, or since all of them together are too long."""
    size = 0
    for key, value in annotations.items():
        _check_key(resource, name, "annotations", key)
        size += len(key.encode()) + len(str(value).encode())
    if size > ANNOTATIONS_LIMIT:
        text = f"metadata.annotations: Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
        raise _invalid(resource, name, f"[{text}, {UNCHECKED}]")


def _check_key(resource: str, name: str, kind: str, key: str) -> None:
    """Refuse a key of labels or annotations that Kubernetes refuses (IsQualifiedName)."""
    prefix, slash, part = (key.lower() if kind == "annotations" else key).rpartition("/")
    if slash and (len(prefix) > 253 or not re.fullmatch(SUBDOMAIN, prefix)):
        why = "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters"
    elif len(part) > 63:
        why = "name part must be no more than 63 bytes"
    elif not re.fullmatch(NAME_PART, part):
        why = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
            "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
            f"validation is '{NAME_PART}')"
        )
    else:
        return
    raise _invalid(resource, name, f'metadata.{kind}: Invalid value: "{key}": {why}')


def _invalid(resource: str, name: str, text: str) -> ApiError:
    kind = KINDS.get(resource, resource)
    return ApiError(INVALID_ARGUMENT, f'{kind}.argoproj.io "{name}" is invalid: {text}')


def already_exists(resource: str, metadata: JSON) -> ApiError:
    """The name is taken, in Kubernetes' words."""
    text = f'{resource}.argoproj.io "{metadata["name"]}" already exists'
    if metadata.get("generateName"):
        text += ", the server was not able to generate a unique name for the object"
    return ApiError(ALREADY_EXISTS, text)


Changed = Callable[[JSON, JSON | None], None]
"""Called in the transaction that stores an object, with the object and its old version."""


def _nobody(new: JSON, old: JSON | None) -> None:
    """Tell nobody about a change."""


def create(call: Call, resource: Resource, obj: JSON, changed: Changed = _nobody) -> JSON:
    """Store a new object; returns it as stored."""
    engine = call.services.engine

    def change() -> JSON:
        store = engine.store
        version, now = store.next_version(), engine.clock()
        created = {**obj, "metadata": new_metadata(resource, obj["metadata"], call.namespace, version, now)}
        check_size(created)
        if store.object(resource, call.namespace, created["metadata"]["name"]) is not None:
            raise already_exists(resource, created["metadata"])
        store.put_object(resource, created)
        changed(created, None)
        return created

    return engine.call(change)


def get(call: Call, resource: Resource) -> JSON:
    """The object of that name."""
    found = call.services.reader.object(resource, call.namespace, call.name)
    if found is None:
        raise not_found(resource, call.name)
    return found


def list_all(call: Call, resource: Resource) -> str:
    """The list of the objects that the selectors choose, as JSON text."""
    chosen = label_selector(call.query.get("listOptions.labelSelector", ""))
    name = name_selector(call.query.get("listOptions.fieldSelector", ""))
    found = [
        text
        for own_name, labels, text in call.services.reader.objects(resource, call.namespace)
        if chosen(labels) and name in (None, own_name)
    ]
    part, metadata = page(found, call.query)
    metadata["resourceVersion"] = str(call.services.reader.version())
    items = f"[{','.join(part)}]" if part else "null"
    return f'{{"metadata":{dump(metadata)},"items":{items}}}'


def update(call: Call, resource: Resource, obj: JSON, changed: Changed = _nobody) -> JSON:
    """Replace an object if the caller has seen its latest version, as a PUT of Kubernetes does."""
    given = obj["metadata"]
    if given.get("name", call.name) != call.name:
        raise ApiError(
            INVALID_ARGUMENT,
            f"the name of the object ({given['name']}) does not match the name on the URL ({call.name})",
        )
    check_labels(resource, call.name, given.get("labels") or {})
    check_annotations(resource, call.name, given.get("annotations") or {})

    def change(store: Store, stored: JSON) -> JSON:
        meta = stored["metadata"]
        if not given.get("resourceVersion"):
            raise ApiError(
                INVALID_ARGUMENT,
                f'{resource}.argoproj.io "{call.name}" is invalid: '
                "metadata.resourceVersion: Invalid value: 0: must be specified for an update",
            )
        if given["resourceVersion"] != meta["resourceVersion"]:
            raise ApiError(
                ALREADY_EXISTS,
                f'Operation cannot be fulfilled on {resource}.argoproj.io "{call.name}": the object has been '
                "modified; please apply your changes to the latest version and try again",
            )
        own = {key: meta[key] for key in ("name", *SERVER_KEEPS) if key in meta}
        theirs = {key: value for key, value in given.items() if value not in (None, {}, [])}
        return {**obj, "metadata": {**theirs, **own}}

    return modify(call, resource, change, changed)


def modify(
    call: Call, resource: Resource, change: Callable[[Store, JSON], JSON], changed: Changed = _nobody
) -> JSON:
    """Change a stored object; as in Kubernetes, an update without a change makes no new version."""
    engine = call.services.engine

    def apply() -> JSON:
        store = engine.store
        stored = store.object(resource, call.namespace, call.name)
        if stored is None:
            raise not_found(resource, call.name)
        new = change(store, copy.deepcopy(stored))
        if new == stored:
            return stored
        meta = new["metadata"]
        meta["resourceVersion"] = str(store.next_version())
        if {**new, "metadata": None} != {**stored, "metadata": None}:
            meta["generation"] = meta.get("generation", 0) + 1
        check_size(new)
        store.put_object(resource, new)
        changed(new, stored)
        return new

    return engine.call(apply)


def delete(call: Call, resource: Resource, gone: Callable[[], None] = lambda: None) -> JSON:
    """Delete an object."""
    engine = call.services.engine

    def change() -> JSON:
        if engine.store.object(resource, call.namespace, call.name) is None:
            raise not_found(resource, call.name)
        engine.store.delete_object(resource, call.namespace, call.name)
        gone()
        return {}

    return engine.call(change)
