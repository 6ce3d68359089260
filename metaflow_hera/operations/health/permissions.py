"""The permissions that the verbs need, each asked for by a call that changes nothing, and the namespace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.permissions import (
    OF_DEPLOYERS,
    OF_DEPLOYERS_OF_EVENTS,
    NamespaceMissing,
    Permission,
)
from metaflow_hera.errors import ArgoError, ArgoEventsMissing, ArgoTokenRefused, ConfigurationError
from metaflow_hera.metaflow_api.light.configuration import sensor_namespace, setting
from metaflow_hera.operations.health.findings import Finding, Part

PART = Part("permissions")
EVENTS = Part("events")
ARGO_EVENTS = "Argo Events"
GRANT = "The Role metaflow-deployer has it: mfhera doctor --print {} | kubectl apply -f -"
BY_PROBE = "no call tells without changing something; mfhera doctor --probe tries it with a run of its own"
NEEDED_FOR_EVENTS = ("ARGO_EVENTS_EVENT", "ARGO_EVENTS_EVENT_SOURCE", "ARGO_EVENTS_SERVICE_ACCOUNT")


def findings(client: ArgoClient, *, probe: bool = False) -> Iterator[Finding]:
    """The permissions by their resources, and what is wrong with the namespace or the token.

    If either is wrong, no more is asked. `probe` says that what no call tells of will be tried.
    """
    target = client.target
    if target.embedded:
        yield PART.ok("all", "the embedded Argo lets this user do everything")
        return
    allowed: list[Permission] = []
    unknown: list[Permission] = []
    for permission in _creations_first(OF_DEPLOYERS):
        try:
            answer = client.is_allowed(permission, target.namespace)
        except NamespaceMissing:
            yield _no_namespace(PART, target.namespace, "ARGO_NAMESPACE")
            return
        except ArgoTokenRefused as error:
            yield PART.failed("token", str(error))
            return
        except ArgoError as error:
            yield from PART.not_checked(str(error), str(permission))
            continue
        if answer is False:
            yield denied(PART, permission, "rbac")
        else:
            (unknown if answer is None else allowed).append(permission)
    yield from (PART.ok(resource, verbs) for resource, verbs in _by_resource(allowed))
    yield from (
        finding
        for resource, verbs in _by_resource(() if probe else unknown)
        for finding in PART.not_checked(BY_PROBE, f"{verbs} {resource}")
    )


def of_events(client: ArgoClient) -> Iterator[Finding]:
    """Whether Argo Events is there, what this user may do with sensors, and whether Metaflow knows of it.

    Nothing of it is a failure for somebody who has configured none of it.
    """
    if client.target.embedded:
        yield EVENTS.ok(ARGO_EVENTS, "the embedded Argo takes sensors and events itself")
        return
    unset = [f"METAFLOW_{name}" for name in NEEDED_FOR_EVENTS if not setting(name)]
    wanted = len(unset) < len(NEEDED_FOR_EVENTS)
    try:
        namespace = sensor_namespace() or client.target.namespace
    except ConfigurationError as error:
        yield EVENTS.failed("namespace", str(error))
        return
    allowed: list[Permission] = []
    lacking: list[Permission] = []
    for permission in _creations_first(OF_DEPLOYERS_OF_EVENTS):
        try:
            answer = client.is_allowed(permission, namespace)
        except NamespaceMissing:
            yield _no_namespace(EVENTS, namespace, "METAFLOW_ARGO_EVENTS_SENSOR_NAMESPACE")
            return
        except ArgoEventsMissing:
            found = "the cluster has none, so flows with @trigger cannot be deployed"
            mend = "Install Argo Events, or unset METAFLOW_ARGO_EVENTS_*."
            yield EVENTS.failed(ARGO_EVENTS, found, mend) if wanted else EVENTS.ok(ARGO_EVENTS, found)
            return
        except ArgoError as error:
            yield from EVENTS.not_checked(str(error), str(permission))
            continue
        if answer:
            allowed.append(permission)
        elif wanted:
            yield denied(EVENTS, permission, "events")
        else:
            lacking.append(permission)
    yield from (EVENTS.ok(resource, verbs) for resource, verbs in _by_resource(allowed))
    for resource, verbs in _by_resource(lacking):
        yield EVENTS.ok(f"{verbs} {resource}", "denied; only flows with @trigger would need it")
    if not unset:
        yield EVENTS.ok("Metaflow's configuration", "where events come from is set")
    elif wanted:
        mend = "Set it to what Argo Events has in the cluster; docs/cluster.md shows how."
        yield EVENTS.failed("Metaflow's configuration", f"{' and '.join(unset)} is not set", mend)
    else:
        yield EVENTS.ok("Metaflow's configuration", f"{', '.join(unset)}: not set; @trigger needs them")


def denied(part: Part, permission: Permission, printed: str) -> Finding:
    """A permission that is not there; `printed` is the file of deploy/ that gives it."""
    verbs = ", ".join(f"mfhera {verb}" for verb in permission.needed_by)
    return part.failed(str(permission), f"denied, and needed by {verbs}", GRANT.format(printed))


def _creations_first(permissions: Sequence[Permission]) -> Sequence[Permission]:
    """A creation tells of the namespace as well: where that is not there, nothing else need be asked."""
    return sorted(permissions, key=lambda each: each.verb != "create")


def _no_namespace(part: Part, namespace: str, variable: str) -> Finding:
    mend = f"Create it: kubectl create namespace {namespace}; or set {variable} to another."
    return part.failed("namespace", f"there is no {namespace}", mend)


def _by_resource(permissions: Sequence[Permission]) -> Iterator[tuple[str, str]]:
    """The resources, each with its verbs in words."""
    for resource in dict.fromkeys(each.resource for each in permissions):
        yield resource, ", ".join(each.verb for each in permissions if each.resource == resource)
