"""Starting a workflow under a name chosen here: a second try starts no second one."""

from __future__ import annotations

import random
import time

from hera.workflows.models import SubmitOpts

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.settling import unknown
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


def submitted(client: ArgoClient, template: str, options: SubmitOpts) -> JSON:
    """Start a workflow from a template, once.

    Raises ArgoUnreachable if no workflow was started, ArgoUnanswered, with its name, if that is unknown.
    """
    for _ in range(NAMES - 1):
        try:
            return _submitted(client, template, _named(options, template))
        except ArgoConflict:
            continue
    return _submitted(client, template, _named(options, template))


def _named(options: SubmitOpts, template: str) -> SubmitOpts:
    return options.model_copy(update={"name": f"{template[: LONGEST - SUFFIX - 1]}-{random_end()}"})


def random_end() -> str:
    """The end of a name, which others hardly have."""
    return "".join(random.SystemRandom().choices(ALPHABET, k=SUFFIX))


def _submitted(client: ArgoClient, template: str, options: SubmitOpts) -> JSON:
    """Start it under its name; ArgoConflict if another workflow has that."""
    try:
        return client.submit(template, options)
    except ArgoUnanswered as error:
        unanswered = error
    run = run_id(str(options.name))
    for pause in PAUSES:
        time.sleep(pause)
        try:
            client.revive()
            return _found(client, options) or client.submit(template, options)
        except ArgoConflict:
            continue  # with the first try, which has been done by now
        except ArgoUnanswered as error:
            unanswered = error
        except (ArgoError, LocalServerError):
            continue
    try:
        found = _found(client, options)
    except ArgoError as error:
        raise unknown(
            unanswered, f"the run {run} has started", f"mfhera status {run} once the server answers"
        ) from error
    if found is None:
        raise ArgoUnreachable(f"{unanswered}, and the run {run} has not started: try again.") from unanswered
    return found


def _found(client: ArgoClient, options: SubmitOpts) -> JSON | None:
    try:
        return client.workflow(str(options.name))
    except ArgoNotFound:
        return None
