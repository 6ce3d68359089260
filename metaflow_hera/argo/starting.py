"""Starting a workflow under a name chosen here: a second try starts no second one."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.settling import learned, unknown
from metaflow_hera.contract.manifest import run_id
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import (
    ArgoConflict,
    ArgoError,
    ArgoNotFound,
    ArgoUnanswered,
    ArgoUnreachable,
    LocalServerError,
)

ALPHABET, SUFFIX = "bcdfghjklmnpqrstvwxz2456789", 5
"""Of what, and of how many characters, Kubernetes makes the end of a generated name."""
LONGEST = 63
"""The longest name of a workflow: it is the value of a label of its pods."""
NAMES = 5
"""How many names are tried: others may have taken one by chance."""
PAUSES = (0.5, 2.0)
"""The seconds before each further try under the same name."""


@dataclass(frozen=True)
class Start:
    """A workflow to start from a template, with parameters and annotations (NAME=VALUE)."""

    template: str
    parameters: Sequence[str] = ()
    annotations: str = ""


def submitted(client: ArgoClient, start: Start) -> JSON:
    """Start a workflow, once.

    Raises ArgoUnreachable if no workflow was started, ArgoUnanswered, with its name, if that is unknown;
    ArgoTooOld for a server that is.
    """
    client.check_version()
    for _ in range(NAMES - 1):
        try:
            return submitted_as(client, start, _name(start.template))
        except ArgoConflict:
            continue
    return submitted_as(client, start, _name(start.template))


def _name(template: str) -> str:
    return f"{template[: LONGEST - SUFFIX - 1]}-{random_end()}"


def random_end() -> str:
    """The end of a name, which others hardly have."""
    return "".join(random.SystemRandom().choices(ALPHABET, k=SUFFIX))


def submitted_as(client: ArgoClient, start: Start, name: str) -> JSON:
    """Start a workflow under a name, once.

    Raises ArgoConflict if another workflow has the name, and what `submitted` does, but for ArgoTooOld.
    """

    def submit() -> JSON:
        return submit_as(client, start, name)

    try:
        return submit()
    except ArgoUnanswered as error:
        unanswered = error
    run = run_id(name)
    for pause in PAUSES:
        time.sleep(pause)
        try:
            client.revive()
            return _found(client, name) or submit()
        except ArgoConflict:
            continue  # with the first try, which has been done by now
        except ArgoUnanswered as error:
            unanswered = error
        except (ArgoError, LocalServerError):
            continue
    try:
        found = _found(client, name)
    except ArgoError as error:
        raise unknown(
            unanswered, f"the run {run} has started", f"mfhera status {run} once the server answers"
        ) from error
    if found is None:
        raise ArgoUnreachable(f"{unanswered}, and the run {run} has not started: try again.") from unanswered
    return found


def submit_as(client: ArgoClient, start: Start, name: str) -> JSON:
    """Submit a workflow under a name, once Argo's server knows its template."""
    return learned(
        lambda: client.submit(start.template, name, start.parameters, start.annotations),
        client.target.embedded,
    )


def _found(client: ArgoClient, name: str) -> JSON | None:
    try:
        return client.workflow(name)
    except ArgoNotFound:
        return None
