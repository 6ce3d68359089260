"""Reading what a server has that concerns a deployment, and waiting for the end of what is being deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed, absent, described
from metaflow_hera.argo.objects import is_cron_of, sensor_place
from metaflow_hera.argo.settling import is_dying
from metaflow_hera.contract.manifest import sensor_name
from metaflow_hera.contract.objects import JSON, TEMPLATE
from metaflow_hera.errors import ArgoError, ArgoEventsMissing, ArgoNotFound
from metaflow_hera.operations.kinds import KINDS
from metaflow_hera.operations.plan import Present

T = TypeVar("T")

DYING_SECONDS = 30.0
"""For how long to wait for the end of an object that Kubernetes is deleting."""
PAUSE = 0.5


def read(client: ArgoClient, name: str, sensor: tuple[str, str] | None = None) -> Present:
    """What concerns the deployment with a name; each object is read once.

    `sensor` is the name and the namespace of the sensor that a new version will have.
    """
    namespace = client.target.namespace
    template = read_object(client, TEMPLATE, name, namespace)
    told = None if template is None else sensor_place(template, namespace)
    sensors = []
    for place in dict.fromkeys(place for place in (told, sensor) if place is not None):
        try:
            sensors.append(client.sensor(*place))
        except ArgoEventsMissing:
            if place == sensor:  # before anything is written
                raise
        except ArgoNotFound:
            pass
    return Present(name, namespace, template, tuple(client.crons()), tuple(sensors))


def read_living(client: ArgoClient, name: str, sensor: tuple[str, str] | None = None) -> Present:
    """The same, once what Kubernetes is deleting of it has gone: nothing can be deployed onto that.

    Raises ArgoError if it does not go.
    """

    def dying() -> tuple[Present, JSON | None]:
        found = read(client, name, sensor)
        crons = (each for each in found.crons if is_cron_of(each, name))
        items = (*([found.template] if found.template else ()), *crons, *found.sensors)
        return found, next(filter(is_dying, items), None)

    return _without_dying(dying)


def _without_dying(look: Callable[[], tuple[T, JSON | None]]) -> T:
    """What a look returns once it sees nothing that is being deleted. Raises ArgoError if that takes long."""
    end = time.monotonic() + DYING_SECONDS
    while True:
        found, dying = look()
        if dying is None:
            return found
        if time.monotonic() > end:
            metadata = dying["metadata"]
            waits = ", ".join(metadata.get("finalizers") or ()) or "its end"
            raise ArgoError(
                f"{metadata['name']} has been waiting to be deleted since {metadata['deletionTimestamp']}, "
                f"for {waits}: check with kubectl describe, and try again once it is gone."
            )
        time.sleep(PAUSE)


def with_left_sensor(client: ArgoClient, present: Present) -> Present:
    """The same, with a sensor that an older version may have left and that the template does not name."""
    name, namespace = sensor_name(present.name), present.namespace
    if present.sensor(name, namespace) is None:
        with suppress(ArgoError):  # the cluster may have no sensors, or not for this user
            left = client.sensor(name, namespace)
            return replace(present, sensors=(*present.sensors, left))
    return present


def deployed_in(present: Present) -> Deployed | None:
    """The deployment that exists, or None. Raises NameTakenError if it is not that of a flow."""
    return None if present.template is None else described(present.template)


def existing_in(present: Present) -> tuple[Deployed, JSON]:
    """The deployment that exists, and its template.

    Raises NotFoundError if there is none, NameTakenError if it is not that of a flow.
    """
    if present.template is None:
        raise absent(present.name)
    return described(present.template), present.template


def read_object(client: ArgoClient, kind: str, name: str, namespace: str) -> JSON | None:
    """An object of a deployment, or None."""
    try:
        return KINDS[kind].read(client, name, namespace)
    except ArgoNotFound:
        return None


def read_living_object(client: ArgoClient, kind: str, name: str, namespace: str) -> JSON | None:
    """The same, once it has gone if Kubernetes is deleting it."""

    def dying() -> tuple[JSON | None, JSON | None]:
        found = read_object(client, kind, name, namespace)
        return found, found if found is not None and is_dying(found) else None

    return _without_dying(dying)
