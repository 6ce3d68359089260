"""The permissions of Kubernetes that the verbs need, and calls of Argo's by which they are asked for.

Argo's server hands a call on to Kubernetes in the name of who calls. Kubernetes looks at the permission
first: what comes back for an object that is not there, or cannot be created, tells whether it was granted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflow_hera.argo import answers
from metaflow_hera.argo.paths import BINDINGS, CRONS, SENSORS, TEMPLATES, WORKFLOWS, path
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ArgoDenied, ArgoError, ArgoNotFound, ArgoTokenRefused

if TYPE_CHECKING:
    from metaflow_hera.argo.calls import Calls

NOBODY = "mfhera-doctor-asks"
"""A name that no object has."""
NO_NAME = "mfhera-doctor-asks-in-CAPITALS"
"""A name that no object of Kubernetes can have, so that none is created."""
REFUSED_NAME = "metadata.name: Invalid value"
"""What Kubernetes says of it, to somebody who may create the object."""
REFUSED_NAMESPACE = 'namespaces "'
"""What Kubernetes says of a namespace that is not there, to somebody who may create objects in it."""
ADMISSION = "admission webhook"
"""Who refuses an object, with 403 as well, though the permission is there."""
DOES_NOTHING: JSON = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
"""A spec of a workflow that Argo takes."""
NO_WORKFLOW: JSON = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": f"{NOBODY}-"},
    "spec": {"workflowTemplateRef": {"name": NOBODY}},
}


@dataclass(frozen=True)
class Permission:
    """A verb on a resource of a namespace, as a Role has them, and the verbs of mfhera that need it."""

    resource: str
    verb: str
    needed_by: Sequence[str]

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    @property
    def group(self) -> str:
        """The API group of the resource."""
        return "" if self.resource.startswith("pods") else "argoproj.io"


def _permissions(needed: dict[str, dict[str, str]]) -> tuple[Permission, ...]:
    return tuple(
        Permission(resource, verb, tuple(verbs.split(", ")))
        for resource, its in needed.items()
        for verb, verbs in its.items()
    )


OF_DEPLOYERS = _permissions(
    {
        "workflowtemplates": {
            "get": (
                "backfill, create, delete, diff, open, resubmit, rollback, runs, schedule, trigger, versions"
            ),
            "list": "list",
            "create": "create",
            "update": "create, rollback",
            "delete": "delete",
        },
        "cronworkflows": {
            "get": "create, delete, rollback",
            "list": "backfill, create, delete, diff, list, rollback, schedule, versions",
            "create": "create, rollback",
            "update": "create, rollback",
            "delete": "create, delete, rollback",
        },
        "workflows": {
            "get": (
                "backfill, delete --run, logs, open, resubmit, resume, retry, status, stop, suspend, "
                "terminate, trigger"
            ),
            "list": "backfill, list, resubmit, runs",
            "watch": "logs --follow",
            "create": "backfill, resubmit, trigger",
            "update": "resume, retry, suspend",
            "patch": "stop, terminate",
            "delete": "delete --run",
        },
        "workfloweventbindings": {"list": "emit"},
        "pods": {"list": "logs", "watch": "logs", "delete": "retry"},
        "pods/log": {"get": "logs"},
    }
)
"""What people need who deploy and run flows."""

OF_DEPLOYERS_OF_EVENTS = _permissions(
    {
        "sensors": {
            "get": "create, delete, diff, rollback, versions",
            "list": "emit",
            "create": "create, rollback",
            "update": "create, rollback",
            "delete": "create, delete, rollback",
        }
    }
)
"""What they need besides for flows with @trigger, in the namespace of the sensors."""


class NamespaceMissing(ArgoError):
    """The namespace is not there."""


def can_be_asked(permission: Permission) -> bool:
    """Whether a call tells of a permission without changing anything."""
    return (
        permission.resource in KINDS
        and permission.verb in ASK
        and (permission.resource, permission.verb) not in UNKNOWN
    )


def is_denial(error: ArgoError) -> bool:
    """Whether an error says that this user, whose token is valid, lacks a permission."""
    return (
        isinstance(error, ArgoDenied)
        and not isinstance(error, ArgoTokenRefused)
        and ADMISSION not in str(error)
    )


def is_allowed(calls: Calls, permission: Permission, namespace: str) -> bool | None:
    """Whether this user has a permission; None if no call tells without a change.

    Raises NamespaceMissing if there is no such namespace, ArgoTokenRefused if the token is not valid,
    ArgoError for an answer that tells nothing.
    """
    if not can_be_asked(permission):
        return None
    try:
        ASK[permission.verb](calls, KINDS[permission.resource], namespace)
    except ArgoDenied as error:
        if not is_denial(error):
            raise
        return False
    except ArgoNotFound as error:
        if REFUSED_NAMESPACE in str(error):
            raise NamespaceMissing(f"There is no namespace {namespace}") from error
        if permission.verb in ("create", "list"):
            raise
    except ArgoError as error:
        if permission.verb != "create" or REFUSED_NAME not in str(error):
            raise
    return True


@dataclass(frozen=True)
class _Kind:
    """A kind of objects in Argo's API: its path, how a request calls one, and a spec that Argo takes."""

    path: str
    word: str
    spec: JSON


KINDS = {
    "workflowtemplates": _Kind(TEMPLATES, "template", DOES_NOTHING),
    "cronworkflows": _Kind(
        CRONS, "cronWorkflow", {"schedules": ["0 0 1 1 *"], "suspend": True, "workflowSpec": DOES_NOTHING}
    ),
    "workflows": _Kind(WORKFLOWS, "workflow", DOES_NOTHING),
    "workfloweventbindings": _Kind(BINDINGS, "", {}),
    "sensors": _Kind(
        SENSORS,
        "sensor",
        {
            "dependencies": [{"name": "none", "eventSourceName": "none", "eventName": "none"}],
            "triggers": [
                {
                    "template": {
                        "name": "none",
                        "k8s": {"operation": "create", "source": {"inline": json.dumps(NO_WORKFLOW)}},
                    }
                }
            ],
        },
    ),
}
UNKNOWN = {
    # Argo reads the object first, and says that it is not there.
    *(("workflowtemplates", "delete"), ("cronworkflows", "update"), ("cronworkflows", "delete")),
    *(("workflows", "update"), ("workflows", "patch"), ("workflows", "delete")),
}


def _get(calls: Calls, kind: _Kind, namespace: str) -> None:
    calls.ask("GET", path(kind.path, namespace, NOBODY), answers.an_object(NOBODY, namespace))


def _list(calls: Calls, kind: _Kind, namespace: str) -> None:
    query = {} if kind.path == SENSORS else {"listOptions.limit": "1"}
    calls.ask("GET", path(kind.path, namespace), answers.objects(), query=query)


def _create(calls: Calls, kind: _Kind, namespace: str) -> None:
    body = {kind.word: _object(kind, NO_NAME, namespace)}
    calls.ask("POST", path(kind.path, namespace), answers.an_object(NO_NAME, namespace), body=body)


def _update(calls: Calls, kind: _Kind, namespace: str) -> None:
    body = {kind.word: _object(kind, NOBODY, namespace, resourceVersion="1")}
    calls.ask("PUT", path(kind.path, namespace, NOBODY), answers.an_object(NOBODY, namespace), body=body)


def _delete(calls: Calls, kind: _Kind, namespace: str) -> None:
    calls.ask("DELETE", path(kind.path, namespace, NOBODY), answers.nothing)


def _object(kind: _Kind, name: str, namespace: str, **metadata: str) -> JSON:
    return {"metadata": {"name": name, "namespace": namespace, **metadata}, "spec": kind.spec}


ASK = {"get": _get, "list": _list, "create": _create, "update": _update, "delete": _delete}
