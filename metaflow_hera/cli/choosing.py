"""The deployment or run that a verb means, and its server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from metaflow_hera.cli.words import say_where
from metaflow_hera.errors import ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.last import LastDeployment, LastRun
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


class ChosenFlow(NamedTuple):
    """A deployment by its name, its record if it was the last one from this folder, and FLOW.py loaded."""

    deployment: str
    last: LastDeployment | None = None
    flow: LoadedFlow | None = None


class ChosenRun(NamedTuple):
    """A run, as it was named, and a client of its server."""

    client: ArgoClient
    run: str


def chosen_deployment(
    flow: str | None, top_level: Sequence[str], name: str | None
) -> tuple[str, LastDeployment | None]:
    """The deployment of FLOW.py; without FLOW.py, the named one or the one last made from this folder."""
    chosen = chosen_flow(flow, top_level, name)
    return chosen.deployment, chosen.last


def chosen_flow(flow: str | None, top_level: Sequence[str], name: str | None) -> ChosenFlow:
    """The same, with the flow of FLOW.py: a verb that changes a deployment checks that it is that flow's."""
    if flow is None:
        return ChosenFlow(*known_deployment(name))
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations.belonging import name_of

    loaded = load_flow(flow, top_level)
    return ChosenFlow(name_of(loaded, name), flow=loaded)


def client_at(*, start: bool, last: LastDeployment | LastRun | None = None) -> ArgoClient:
    """A client of the server in use. If the last deployment or run is meant, it must be at that server."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target

    target = resolve_target(start=start)
    say_where(target)
    if last is not None and not last.is_at(target):
        raise ConfigurationError(last.elsewhere)
    return ArgoClient(target)


def chosen_run(run: str | None, deployment: str | None = None, *, changes: bool = False) -> ChosenRun:
    """The run to use, by default the one last started from this folder, of one deployment or of any.

    If none was, it is the last run of that deployment, or of the one last made from here: a schedule or
    somebody else may have started it, so a verb that `changes` a run needs its name.
    """
    if run is not None:
        return ChosenRun(client_at(start=False), run)
    from metaflow_hera.argo.last import recall_run

    latest_here = recall_run(deployment)
    if latest_here is not None:
        return ChosenRun(client_at(start=False, last=latest_here), latest_here.run_id)
    if changes:
        raise NotFoundError("No run was started from this folder: name one. mfhera runs lists them.")
    from metaflow_hera.argo import deployments, runs

    last = None
    if deployment is None:
        deployment, last = known_deployment(None)
    client = client_at(start=False, last=last)
    latest = next(runs.runs(client, deployment), None)
    if latest is None:
        deployments.existing(client, deployment)
        raise NotFoundError(f"{deployment} has no runs: mfhera trigger starts one.")
    return ChosenRun(client, latest.run_id)


def known_deployment(name: str | None) -> tuple[str, LastDeployment | None]:
    """The deployment with this name, by default the last one from here, and its record."""
    if name is not None:
        from metaflow_hera.translation.names import LONGEST_NAME, given_name

        return given_name(name, LONGEST_NAME), None
    from metaflow_hera.argo.last import recall

    last = recall()
    if last is None:
        raise NotFoundError(
            "Nothing has been deployed from this folder yet: mfhera create FLOW.py deploys a flow."
        )
    return last.name, last
