"""The datastore: whether pods can have it, and whether it can be written from here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from metaflow_hera.argo.target import Target, without_password
from metaflow_hera.contract import environment
from metaflow_hera.contract.datastores import LIBRARIES
from metaflow_hera.metaflow_api.light.configuration import default_datastore
from metaflow_hera.metaflow_api.light.storage import write_and_read
from metaflow_hera.operations.health.findings import Finding, Part

PART = Part("datastore")
HERE = "writable from here"
SECONDS = 30.0
"""How long a datastore has to answer."""


def findings(datastore: str | None, target: Target | None) -> Iterator[Finding]:
    """What there is to say of a datastore (None: the configured one) for runs at a target."""
    name = datastore or default_datastore()
    if name == "local" and target is not None and not target.embedded:
        yield PART.failed(
            "for pods",
            "the datastore is local: the pods of a cluster cannot see this machine's files",
            "Set METAFLOW_DEFAULT_DATASTORE and its root, such as s3 and METAFLOW_DATASTORE_SYSROOT_S3, "
            "or give --datastore.",
        )
        return
    tried = write_and_read(name, SECONDS)
    root, error = tried.get("root"), tried["error"]
    place = without_password(str(root)) if root else name
    if error is not None:
        yield PART.failed(HERE, f"{place}: {without_password(error)}", _mend(name, error))
    elif root is None:
        variable = f"METAFLOW_DATASTORE_SYSROOT_{name.upper()}"
        yield PART.failed("root", f"{variable} is not set", f"Set it to where {name} is to hold all data.")
    else:
        yield PART.ok(HERE, f"{place}: an object was written and read")


def _mend(name: str, error: str) -> str:
    if "no such datastore" in error:
        return "Give one of them as --datastore, or set METAFLOW_DEFAULT_DATASTORE to one."
    of_metaflow = re.search(r" for (METAFLOW_[A-Z0-9_]+), got", error)  # read whatever is stored
    if of_metaflow is not None:
        return f"Correct {of_metaflow[1]}, or unset it."
    if "module" in error.lower() and name in LIBRARIES:
        return f"Install what Metaflow needs: pip install {' '.join(LIBRARIES[name])}"
    if name == "local":
        return f"Give this user the right to write there, or set {environment.LOCAL_ROOT}."
    root = f"METAFLOW_DATASTORE_SYSROOT_{name.upper()}"
    if "AccessDenied" in error or "Forbidden" in error:
        return f"Let the credentials of this machine read and write there, or correct {root}."
    if "NotFound" in error or "doesn't exist" in error:
        return f"Create it, or correct {root}."
    endpoint = " and METAFLOW_S3_ENDPOINT_URL" if name == "s3" else ""
    return f"Check {root}{endpoint}, the credentials here, and the network."
