"""The metadata: kept on this machine, or in Metaflow's service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import requests

from metaflow_hera.argo.refusals import root_cause
from metaflow_hera.argo.target import Target, without_password
from metaflow_hera.metaflow_api.light.configuration import setting
from metaflow_hera.operations.health.findings import Finding, Part

PART = Part("metadata")
WHAT = "metadata service"
OLDEST = (2, 0, 2)
"""As Metaflow's own plugin asks for: earlier ones take no ids that are words."""
VERSION = "METADATA_SERVICE_VERSION"
SECONDS = 10.0
"""How long the service has to answer."""


def findings(target: Target | None) -> Iterator[Finding]:
    """What there is to say of the metadata of runs at a target."""
    url = setting("SERVICE_URL")
    if setting("DEFAULT_METADATA") != "service":
        yield from _without_service(target)
        return
    if not url:
        yield PART.failed(WHAT, "METAFLOW_SERVICE_URL is not set", "Set it to the address of the service.")
        return
    try:
        headers = _headers()
    except ValueError:
        yield PART.failed(
            WHAT,
            "METAFLOW_SERVICE_HEADERS is no JSON object",
            'Write it as {"NAME": "VALUE"}, or unset it.',
        )
        return
    try:
        answer = requests.get(f"{str(url).rstrip('/')}/ping", headers=headers, timeout=SECONDS)
    except (OSError, ValueError) as error:  # also what cannot be sent, or be followed
        reason = root_cause(error) if isinstance(error, requests.RequestException) else str(error)
        found = without_password(f"{url} cannot be reached ({reason})")
        yield PART.failed(WHAT, found, "Is METAFLOW_SERVICE_URL right, and the network up?")
        return
    yield _answered(without_password(str(url)), answer)


def _answered(url: str, answer: requests.Response) -> Finding:
    version = answer.headers.get(VERSION)
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version or "")
    if not answer.ok:
        what = f"{url} refuses the call ({answer.status_code})"
        return PART.failed(WHAT, what, "Are METAFLOW_SERVICE_URL and METAFLOW_SERVICE_AUTH_KEY right?")
    if version is None:
        what = f"{url} does not answer like Metaflow's service"
        return PART.failed(WHAT, what, "Is METAFLOW_SERVICE_URL right?")
    if found is not None and tuple(map(int, found.groups())) < OLDEST:
        return PART.failed(
            WHAT, f"{url} has version {version}", "Install version 2.0.2 or later of the service."
        )
    return PART.ok(WHAT, f"{url}, version {version}")


def _without_service(target: Target | None) -> Iterator[Finding]:
    if target is None or target.embedded:
        yield PART.ok("metadata", "local: it is stored beside the local datastore")
        return
    yield PART.warning(
        "metadata",
        "local: that of a run stays in the pods of the cluster",
        "To read results with Metaflow's Client API set METAFLOW_DEFAULT_METADATA=service "
        "and METAFLOW_SERVICE_URL.",
    )


def _headers() -> dict[str, str]:
    """The headers with which Metaflow calls its service. Raises ValueError if they are no JSON object."""
    given, key = setting("SERVICE_HEADERS"), setting("SERVICE_AUTH_KEY")
    found = json.loads(given) if isinstance(given, str) and given else given or {}
    if not isinstance(found, dict):
        raise ValueError(given)
    headers = {str(name): str(value) for name, value in found.items()}
    return {**headers, **({"x-api-key": str(key)} if key else {})}
