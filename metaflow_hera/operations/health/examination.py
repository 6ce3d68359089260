"""All checks in their order: what depends on one that failed is not checked, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target, resolve_target
from metaflow_hera.errors import ConfigurationError, LocalServerError
from metaflow_hera.operations.health import configuration, metadata, permissions, probe, server, storage
from metaflow_hera.operations.health.findings import FAILED, NOT_CHECKED, Finding, has_failed

Connect = Callable[[Target], ArgoClient]

UNASKED = "the server cannot be asked"
AFTER_CONFIGURATION = (
    (permissions.EVENTS, permissions.ARGO_EVENTS),
    (storage.PART, storage.HERE),
    (metadata.PART, metadata.WHAT),
)
"""The checks that need Metaflow's configuration."""


def examine(
    datastore: str | None, *, probe_seconds: float | None = None, connect: Connect = ArgoClient
) -> Iterator[Finding]:
    """Check what deployments need, and yield each finding as it is made.

    `datastore` is Metaflow's name of the one to use; None: the configured one. With `probe_seconds` a small
    run is made and deleted again, which may take that long; the embedded Argo is started for it. `connect`
    makes the client of a target.
    """
    configured = [*configuration.findings()]
    yield from configured
    client, found = _client(connect, start=probe_seconds is not None)
    yield from found
    reached = client is not None
    if client is not None:
        of_server = []
        for finding in server.findings(client, datetime.now(timezone.utc)):
            of_server.append(finding)
            yield finding
        reached = not any(each.state == FAILED and each.what != "version" for each in of_server)
    told: set[str] = set()
    if client is not None and reached:
        for finding in permissions.findings(client, probe=probe_seconds is not None):
            reached = reached and finding.what not in ("namespace", "token")
            told.add(finding.what)
            yield finding
    else:
        yield from permissions.PART.not_checked(UNASKED, "each permission")
    if has_failed(configured):
        for part, what in (
            *AFTER_CONFIGURATION,
            *([(probe.PART, probe.RUN)] if probe_seconds is not None else []),
        ):
            yield from part.not_checked("Metaflow's configuration cannot be read", what)
        return
    if client is not None and reached:
        yield from permissions.of_events(client)
    else:
        yield from permissions.EVENTS.not_checked(UNASKED, permissions.ARGO_EVENTS)
    target = client.target if client is not None else None
    stored = [*storage.findings(datastore, target)]
    yield from stored
    yield from metadata.findings(target)
    if probe_seconds is None:
        return
    if client is None or not reached:
        yield from probe.PART.not_checked(UNASKED, probe.RUN)
    elif has_failed(stored):
        yield from probe.PART.not_checked("the datastore cannot be written", probe.RUN)
    else:
        for finding in probe.findings(client, datastore, probe_seconds):
            if finding.part != permissions.PART.name or finding.what not in told:
                yield finding


def _client(connect: Connect, *, start: bool) -> tuple[ArgoClient | None, list[Finding]]:
    try:
        return connect(resolve_target(start=start)), []
    except ConfigurationError as error:
        return None, [server.PART.failed("address", str(error))]
    except LocalServerError as error:
        if start:
            return None, [server.PART.failed("reachable", str(error))]
        return None, [
            Finding(
                server.PART.name,
                "reachable",
                NOT_CHECKED,
                str(error),
                "mfhera create starts the embedded Argo where no ARGO_SERVER is set.",
            )
        ]
