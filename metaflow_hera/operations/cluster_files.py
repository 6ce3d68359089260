"""The files of deploy/: what a cluster must have, for `kubectl apply`, and the image of its pods."""

from __future__ import annotations

import json
import sys
from importlib import resources

from metaflow_hera.contract.datastores import SHARED
from metaflow_hera.errors import ConfigurationError, OptionError
from metaflow_hera.metaflow_api.light.configuration import (
    default_datastore,
    namespace_in_use,
    sensor_namespace,
)

FILES = {"rbac": "rbac/rbac.yaml", "events": "events/events.yaml", "image": "image/Dockerfile"}
NAMESPACE = "namespace: flows\n"
"""What the files have in the place of the namespace."""
PYTHON = "ARG PYTHON=3.12\n"
"""What the image has in the place of this machine's version of Python."""


def text_of(what: str, datastore: str | None = None) -> str:
    """The text of a file (`rbac`, `storage`, `events` or `image`), for the namespace that is configured.

    The image has this machine's version of Python, as the pods have that are given no image.
    `datastore` is that of `storage`, by default the configured one. Raises OptionError if no cluster can use
    it, ConfigurationError for a namespace that cannot be one, and for `events` where Metaflow is configured
    for sensors in another namespace.
    """
    namespace = namespace_in_use()
    if what == "events" and (of_sensors := sensor_namespace()) not in (None, namespace):
        raise ConfigurationError(
            f"METAFLOW_ARGO_EVENTS_SENSOR_NAMESPACE is {of_sensors}, and the file has everything in "
            f"{namespace}: unset it, or change deploy/events/events.yaml."
        )
    file = FILES.get(what)
    if file is None:
        name = datastore or default_datastore()
        if name not in SHARED:
            raise OptionError(
                f"The datastore is {name}, which no cluster has: add --datastore s3, azure or gs."
            )
        file = f"storage/{name}.yaml"
    text = resources.files("metaflow_hera").joinpath("deploy", *file.split("/")).read_text(encoding="utf-8")
    version = "{}.{}".format(*sys.version_info)
    quoted = json.dumps(namespace)  # or `123` and `on` would be no text
    return text.replace(NAMESPACE, f"namespace: {quoted}\n").replace(PYTHON, f"ARG PYTHON={version}\n")
