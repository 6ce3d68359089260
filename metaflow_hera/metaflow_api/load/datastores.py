"""Where a flow's data goes: whether that can be a datastore's root, and whether pods may find it there."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from metaflow import metaflow_config
from metaflow.plugins.aws.aws_client import Boto3ClientProvider

from metaflow_hera.errors import ConfigurationError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow

ROOTS = {
    "s3": (r"s3://[^/\s]+(/.*)?", "s3://BUCKET/FOLDER"),
    "azure": (r"[^/:\s]+(/[^/\n]+)*", "CONTAINER/FOLDER, without an address and without a slash at the end"),
    "gs": (r"gs://[^/\s]+(/.*)?", "gs://BUCKET/FOLDER"),
}
"""The form of the roots that a datastore takes, as a regular expression and in words."""


def check_datastore(flow: LoadedFlow) -> None:
    """Raise ConfigurationError for a root that the datastore cannot have, or for Azure without an account."""
    kind, root = flow.datastore, flow.datastore_root
    pattern, words = ROOTS.get(kind, (".*", ""))
    if not re.fullmatch(pattern, root):
        raise ConfigurationError(
            f"{root!r} cannot be the root of --datastore={kind}: "
            f"set METAFLOW_DATASTORE_SYSROOT_{kind.upper()} to {words}."
        )
    if kind == "azure" and not metaflow_config.AZURE_STORAGE_BLOB_SERVICE_ENDPOINT:
        raise ConfigurationError(
            "--datastore=azure needs the address of the storage account: set "
            "METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT to https://ACCOUNT.blob.core.windows.net."
        )


def check_credentials(flow: LoadedFlow) -> None:
    """Raise ConfigurationError for S3 without credentials: Metaflow would try for minutes, in silence."""
    provider = metaflow_config.DEFAULT_AWS_CLIENT_PROVIDER
    if flow.datastore != "s3" or provider != Boto3ClientProvider.name:
        return
    with suppress(ImportError):  # of which Metaflow tells
        import boto3

        if not metaflow_config.AWS_SANDBOX_ENABLED and boto3.Session().get_credentials() is None:
            raise ConfigurationError(
                f"There are no AWS credentials for {flow.datastore_root}: run aws configure, or set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )


def far_notes(flow: LoadedFlow) -> list[str]:
    """A sentence for whoever deploys to a cluster whose pods may not find the datastore, else nothing."""
    address = {
        "s3": metaflow_config.S3_ENDPOINT_URL,
        "azure": metaflow_config.AZURE_STORAGE_BLOB_SERVICE_ENDPOINT,
        "gs": os.environ.get("STORAGE_EMULATOR_HOST"),
    }.get(flow.datastore)
    if not address or not _is_here(address):
        return []
    return [
        f"Its data is at {address}, which in a pod is the pod itself: "
        "only pods that share this machine's network find it there."
    ]


def _is_here(address: str) -> bool:
    """Whether an address is one that every machine has for itself."""
    host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
