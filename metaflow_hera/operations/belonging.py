"""Which deployment is a flow's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflow_hera.argo import deployments
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.translation.names import deployment_name

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


def found_of(client: ArgoClient, flow: LoadedFlow, name: str) -> Deployed | None:
    """The deployment of a flow under a name, or None. Raises NameTakenError if something else has it."""
    found = deployments.find(client, name)
    if found is not None:
        check_belongs(found, flow)
    return found


def check_belongs(found: Deployed, flow: LoadedFlow) -> None:
    """Raise NameTakenError if a deployment is not that of a flow."""
    project = flow.project
    deployments.check_same_flow(found, flow.name, project.get("project_name"), project.get("branch_name"))


def name_of(flow: LoadedFlow, name: str | None) -> str:
    """The name of a flow's deployment; `name` is the one of `--name`."""
    project = flow.project
    return deployment_name(flow.name, name, project.get("project_name"), project.get("branch_name"))
