"""The parameters of a run as its pods see them, and those that a retry has lost.

Argo's `retry` with parameters replaces the arguments of a workflow by those given and those of its own spec.
What only its template gave it is lost then: pods that start later find `{{workflow.parameters.x}}` literally
(overrideParameters in Argo's workflow/util/util.go). So whoever gives one parameter gives all.
"""

from __future__ import annotations

import json
import re

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.objects import arguments_of, stored_spec
from metaflow_hera.argo.run import Run
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ArgoNotFound, NotFoundError

TAG = re.compile(r"\{\{ *workflow\.parameters\.([^{}]+?) *\}\}")


def effective(workflow: JSON) -> dict[str, str]:
    """The parameters of a run by their names: those of its template, and over them those it was given."""
    return {**arguments_of(stored_spec(workflow)), **arguments_of(workflow.get("spec") or {})}


def recovered(client: ArgoClient, run: Run, workflow: JSON) -> dict[str, str]:
    """All parameters of a run that has lost some; empty if it has lost none.

    The lost ones are those of the deployment as it is now. Raises NotFoundError if that has been deleted, or
    no longer has them.
    """
    has = effective(workflow)
    lost = set(TAG.findall(json.dumps(stored_spec(workflow).get("templates") or ()))) - has.keys()
    if not lost:
        return {}
    try:
        deployed = arguments_of(client.template(run.deployment)["spec"])
    except ArgoNotFound:
        deployed = {}
    if missing := sorted(lost - deployed.keys()):
        raise NotFoundError(
            f"{run.run_id} has lost its parameter {missing[0]}, and {run.deployment} no longer has "
            "it: deploy the flow again with mfhera create, then start a new run with mfhera trigger."
        )
    return {**has, **{name: deployed[name] for name in lost}}
