"""Reading what a server has that concerns a deployment."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed, described
from metaflow_hera.argo.objects import sensor_place
from metaflow_hera.contract.manifest import sensor_name
from metaflow_hera.contract.objects import JSON, SENSOR, TEMPLATE
from metaflow_hera.errors import ArgoError, ArgoNotFound
from metaflow_hera.operations.kinds import KINDS
from metaflow_hera.operations.plan import Present


def read(client: ArgoClient, name: str, sensor: tuple[str, str] | None = None) -> Present:
    """What concerns the deployment with a name; each object is read once.

    `sensor` is the name and the namespace of the sensor that a new version will have.
    """
    namespace = client.target.namespace
    template = read_object(client, TEMPLATE, name, namespace)
    told = None if template is None else sensor_place(template, namespace)
    places = dict.fromkeys(place for place in (told, sensor) if place is not None)
    sensors = [read_object(client, SENSOR, *place) for place in places]
    return Present(
        name, namespace, template, tuple(client.crons()), tuple(each for each in sensors if each is not None)
    )


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


def read_object(client: ArgoClient, kind: str, name: str, namespace: str) -> JSON | None:
    """An object of a deployment, or None."""
    try:
        return KINDS[kind].read(client, name, namespace)
    except ArgoNotFound:
        return None
