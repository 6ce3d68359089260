"""The code package that is live on another branch of a flow's @project, to be deployed as it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from metaflow_hera.argo import deployments
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import check_same_flow, described, version_of
from metaflow_hera.argo.packages import stored_package
from metaflow_hera.errors import ArgoNotFound, ConfigurationError, OptionError, UsageError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.packages import CodePackage, Packing, project_options
from metaflow_hera.operations.git_state import GitState
from metaflow_hera.operations.history import history_of
from metaflow_hera.translation.names import deployment_name


@dataclass(frozen=True)
class Promotion:
    """A code package of another branch, with the deployment and version that it is of.

    `project` are Metaflow's options for the branch that it goes to.
    """

    package: CodePackage
    project: Sequence[str]
    origin: tuple[str, int | None]
    git: GitState | None


def promotion(client: ArgoClient, flow: LoadedFlow, name: str, branch: str, packing: Packing) -> Promotion:
    """What is live on a branch (X as `--branch X` has it, or whole, such as user.ann), for a deployment.

    The manifest is made of the flow as it is here: so that must be what the package holds. Raises UsageError
    or one of its kinds otherwise, and for a branch on which nothing is deployed.
    """
    project = flow.project
    if not project:
        raise OptionError(
            "--from-branch is for a flow with @project: this one has no branches. Leave it out."
        )
    whole = branch if "." in branch else f"test.{branch}"
    source = deployment_name(flow.name, None, project["project_name"], whole)
    if source == name:
        raise OptionError(
            f"{source} cannot be promoted to itself: choose another target with --branch or --production."
        )
    try:
        template = client.template(source)
    except ArgoNotFound as error:
        raise deployments.absent(source) from error
    about = described(template)
    check_same_flow(about, flow.name, project["project_name"], whole)
    package = stored_package(template)
    if package is None or package.metadata is None:
        raise UsageError(f"{source} does not say where its code package is: deploy it on that branch again.")
    git, live = None, version_of(template)
    with suppress(ConfigurationError):  # it is only told
        history = history_of(about, template, client.target)
        entry = history.entry(live) if history is not None and live is not None else None
        git = entry.git if entry is not None else None
    different = packing.difference(package.url)
    if different is not None:
        commit = f", of the commit {git.commit[:9]}" if git else ""
        raise UsageError(
            f"The flow differs from what is live as {source}{commit}: {different}. "
            "Use the files that were deployed there, or deploy the flow there again first."
        )
    return Promotion(
        CodePackage(package.url, package.metadata),
        project_options(flow),
        (source, live.number if live else None),
        git,
    )
