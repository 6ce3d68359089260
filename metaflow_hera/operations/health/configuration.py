"""Which configuration counts, and where each value comes from. What is secret is not shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from metaflow_hera.argo.target import without_password
from metaflow_hera.choices.variables import OF_ARGO, OWN
from metaflow_hera.errors import ConfigurationError
from metaflow_hera.metaflow_api.light.configuration import ENVIRONMENT, origin, path_of_file
from metaflow_hera.operations.health.findings import Finding, Part

PART = Part("configuration")
OF_METAFLOW = (
    *("DEFAULT_DATASTORE", "DATASTORE_SYSROOT_LOCAL", "DATASTORE_SYSROOT_S3", "DATASTORE_SYSROOT_AZURE"),
    *("DATASTORE_SYSROOT_GS", "S3_ENDPOINT_URL", "AZURE_STORAGE_BLOB_SERVICE_ENDPOINT"),
    *("DEFAULT_METADATA", "SERVICE_URL", "SERVICE_INTERNAL_URL"),
    *("KUBERNETES_NAMESPACE", "KUBERNETES_SERVICE_ACCOUNT", "KUBERNETES_CONTAINER_IMAGE"),
    *("KUBERNETES_CONTAINER_REGISTRY", "KUBERNETES_SECRETS", "KUBERNETES_IMAGE_PULL_SECRETS"),
    *(
        "ARGO_EVENTS_EVENT",
        "ARGO_EVENTS_EVENT_BUS",
        "ARGO_EVENTS_EVENT_SOURCE",
        "ARGO_EVENTS_SERVICE_ACCOUNT",
    ),
    *("ARGO_EVENTS_SENSOR_NAMESPACE", "ARGO_EVENTS_WEBHOOK_URL", "ARGO_EVENTS_INTERNAL_WEBHOOK_URL"),
)


def findings(env: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """A finding for each setting that counts and is set, and for Metaflow's configuration file."""
    for variable in (*OF_ARGO, *OWN):
        if env.get(variable.name):
            value = "set" if variable.secret else without_password(env[variable.name])
            yield PART.ok(variable.name, f"{value}, from {ENVIRONMENT}")
    path = path_of_file()
    try:
        set_here = [(name, *origin(name)) for name in OF_METAFLOW]
    except ConfigurationError as error:
        yield PART.failed("Metaflow's configuration", str(error))
        return
    if os.path.exists(path):
        yield PART.ok("Metaflow's configuration", path)
    else:
        yield PART.ok("Metaflow's configuration", f"there is no {path}; variables and defaults count")
    for name, value, place in set_here:
        if value not in (None, "") and place is not None:
            yield PART.ok(f"METAFLOW_{name}", f"{without_password(str(value))}, from {place}")
