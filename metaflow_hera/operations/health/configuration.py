"""Which configuration counts, and where each value comes from. What is secret is not shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from metaflow_hera.argo.target import without_password
from metaflow_hera.errors import ConfigurationError
from metaflow_hera.metaflow_api.light.configuration import ENVIRONMENT, origin, path_of_file
from metaflow_hera.operations.health.findings import Finding, Part

PART = Part("configuration")
OF_ARGO = (
    *("ARGO_SERVER", "ARGO_NAMESPACE", "ARGO_TOKEN", "ARGO_SECURE", "ARGO_BASE_HREF", "ARGO_INSTANCEID"),
    *("ARGO_INSECURE_SKIP_VERIFY", "ARGO_CA_CERT", "ARGO_CERTIFICATE_AUTHORITY"),
    *("ARGO_CLIENT_CERTIFICATE", "ARGO_CLIENT_KEY", "METAFLOW_HERA_HOME"),
)
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
SECRET = frozenset({"ARGO_TOKEN"})


def findings(env: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """A finding for each setting that counts and is set, and for Metaflow's configuration file."""
    for name in OF_ARGO:
        if env.get(name):
            value = "set" if name in SECRET else without_password(env[name])
            yield PART.ok(name, f"{value}, from {ENVIRONMENT}")
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
