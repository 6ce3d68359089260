"""The runs of a server: starting them and finding them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.argo.parameters import checked
from metaflow_hera.argo.run import SUMMARY, Run, as_run
from metaflow_hera.argo.run_names import check_flow, flow_and_workflow
from metaflow_hera.argo.settling import settled
from metaflow_hera.argo.starting import Start, submitted
from metaflow_hera.contract import manifest
from metaflow_hera.contract.manifest import RUN_PREFIX
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.values import encode
from metaflow_hera.errors import ArgoError, ArgoNotFound, UsageError

R = TypeVar("R")

LISTED = ",".join(f"items.{field}" for field in SUMMARY.split(","))
RECENT = 2000
"""Among how many runs of a server, the latest, that of each deployment is looked for."""


class RunList(list[R]):
    """Runs, the newest first. Called it is the same list, since `runs` of Metaflow's `Flow` is a method."""

    def __call__(self) -> RunList[R]:
        return self


def start(client: ArgoClient, deployed: Deployed, given: Mapping[str, Any], tags: Sequence[str] = ()) -> Run:
    """Start a run of a deployment; `given` and `tags` are those of `wanted`.

    Raises what `wanted` does, and ArgoUnreachable if it has not started, or that is not known: the message
    tells which.
    """
    return as_run(submitted(client, wanted(deployed, given, tags)))


def wanted(deployed: Deployed, given: Mapping[str, Any], tags: Sequence[str] = ()) -> Start:
    """What to start for a run of a deployment.

    `given` are values for its Parameters, text as typed or JSON values; `tags` are for the run and its
    tasks, besides those of the deployment. Raises ParameterError for values that do not fit, UsageError for
    tags that Metaflow refuses, and for all if an older version deployed it.
    """
    if not deployed.is_readable:
        raise UsageError(
            f"The annotation {manifest.PARAMETERS} of the workflow template {deployed.name} is not what "
            "mfhera create writes, so no values can be checked: deploy the flow again."
        )
    parameters = checked(given, deployed.parameters)
    if tags:
        from metaflow_hera.metaflow_api.load.tags import check_tags  # not before: it imports Metaflow

        check_tags(tags)
        if not deployed.takes_tags:
            raise UsageError(
                f"{deployed.name} takes no tags, since an older version deployed it: "
                "deploy it again with mfhera create first."
            )
        parameters.append(f"{manifest.TAGS_PARAMETER}={encode(json.dumps(list(tags)))}")
    return Start(deployed.name, parameters, f"{manifest.FLOW_NAME}={deployed.flow}")


def get(client: ArgoClient, run: str, *, steps: bool = True) -> Run:
    """A run, with its steps or (cheaper) without.

    Raises ArgoNotFound if Argo no longer has it, UsageError if its pathspec names another flow.
    """
    flow, name = flow_and_workflow(run)
    try:
        found = as_run(client.workflow(name, None if steps else SUMMARY))
    except ArgoNotFound as error:
        hint = (
            f" Its results and logs may still be there: mfhera logs {flow}/{RUN_PREFIX}{name}."
            if flow
            else ""
        )
        near = "" if flow else did_you_mean(client, name)
        raise ArgoNotFound(
            f"{client.target} has no run {RUN_PREFIX}{name}: mfhera runs lists those it has.{near}{hint}"
        ) from error
    check_flow(found, flow)
    return found


def did_you_mean(client: ArgoClient, name: str) -> str:
    """A question for the latest runs that have an absent one's name in theirs, or are similar; or nothing."""
    try:
        listed = islice(client.workflows(manifest.SELECTOR, "items.metadata.name"), RECENT)
        names = [str(item["metadata"]["name"]) for item in listed]
    except ArgoError:  # it is a hint, no more
        return ""
    near = [each for each in names if name in each] or get_close_matches(name, names, cutoff=0.8)
    return f" Did you mean {' or '.join(map(manifest.run_id, near[:2]))}?" if near else ""


def resubmit(client: ArgoClient, run: Run, parameters: Sequence[str] = ()) -> Run:
    """Start a new run of the current deployment with the parameters of another run, except those given.

    Raises ArgoUnreachable if it has not started, or that is not known: the message tells which.
    """

    def again() -> set[str]:
        found = client.workflows(f"{manifest.RESUBMITTED_FROM}={run.workflow}", "items.metadata.name")
        return {item["metadata"]["name"] for item in found}

    client.check_version()
    before = again()  # Argo chooses the name of the new one

    def look() -> JSON | None:
        new = sorted(again() - before)
        return client.workflow(new[0]) if new else None

    what = f"{run.run_id} was resubmitted"
    return as_run(settled(lambda: client.resubmit(run.workflow, parameters), look, what, "mfhera runs"))


def runs(
    client: ArgoClient, deployment: str | None, *, version: int | None = None, archived: bool = False
) -> Iterator[Run]:
    """The runs of a deployment, or (None) of all, that Argo still has, newest first.

    With `version` those of that version alone. Those that are in Argo's archive are among them; with
    `archived` it is those alone.
    """
    selector = f"{manifest.TEMPLATE_LABEL}={deployment}" if deployment else manifest.SELECTOR
    if version is not None:
        selector += f",{manifest.VERSION}={version}"
    found = client.archived_workflows(selector) if archived else client.workflows(selector, LISTED)
    items = sorted(found, key=lambda item: str(item["metadata"].get("creationTimestamp")), reverse=True)
    return map(as_run, items)


def latest(client: ArgoClient, deployments: Iterable[str]) -> dict[str, Run]:
    """The latest run of each of some deployments, as far as it is among the `RECENT` ones of the server.

    Argo lists the latest first, so no more is asked for than it takes to find them.
    """
    missing, found = set(deployments), dict[str, Run]()
    listed = islice(client.workflows(manifest.SELECTOR, LISTED), RECENT) if missing else ()
    for item in listed:
        run = as_run(item)
        if run.deployment in missing:
            found[run.deployment] = run
            missing.remove(run.deployment)
            if not missing:
                break
    return found
