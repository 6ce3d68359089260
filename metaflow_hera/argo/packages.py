"""Where the code package of a deployment is, as its workflow template tells the pods."""

from __future__ import annotations

from dataclasses import dataclass

from metaflow_hera.argo.objects import arguments_of, containers_of, variables_of
from metaflow_hera.contract import environment, manifest
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.values import decode


@dataclass(frozen=True)
class StoredPackage:
    """Where a code package is: its URL and the type of the datastore.

    `metadata` is the text that Metaflow needs to read the package, None where it is not told.
    """

    url: str
    datastore: str
    metadata: str | None = None


def package_url(template: JSON) -> str | None:
    """The URL of the code package of a template; None if the template tells none."""
    package = stored_package(template)
    return None if package is None else package.url


def stored_package(template: JSON) -> StoredPackage | None:
    """The code package of a template, also of one of Metaflow's plugin; None if the template tells none."""
    for container in containers_of(template):
        told = variables_of(container)
        datastore = told.get(environment.CODE_DATASTORE)
        if not datastore:  # a user's own container
            continue
        text = arguments_of(template["spec"]).get(manifest.CODE_PARAMETER)
        url = decode(text) if text else told.get(environment.CODE_URL)
        return StoredPackage(url, datastore, told.get(environment.CODE_METADATA)) if url else None
    return None
