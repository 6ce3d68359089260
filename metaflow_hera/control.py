"""Acting on a run: whose it is, and what is done to it."""

from __future__ import annotations

from metaflow_hera.argo import runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.runs import Run
from metaflow_hera.argo.tokens import check_access
from metaflow_hera.errors import UsageError
from metaflow_hera.metaflow_api.flows import LoadedFlow
from metaflow_hera.metaflow_api.users import user
from metaflow_hera.translation.names import token_prefix


def act(
    client: ArgoClient, run: str, action: str, authorize: str | None, flow: LoadedFlow | None = None
) -> Run:
    """Suspend, resume or terminate a run, as `action` says, and return the run as it was before.

    Raises UsageError if it is not this user's, or has ended, or is not a run of the `flow` that is given;
    ArgoNotFound if there is none.
    """
    found = runs.get(client, run, steps=False)
    if flow is not None:
        _check_flow(found, flow)
    project, branch = found.project or (None, None)
    prefix = token_prefix(found.flow, found.deployment, project, branch)
    check_access(found, prefix, user(), authorize)
    if found.ended:
        raise UsageError(f"{found.run_id} has ended as {found.phase}: there is nothing to {action}.")
    calls = {"suspend": client.suspend, "resume": client.resume, "terminate": client.terminate}
    calls[action](found.workflow)
    return found


def _check_flow(run: Run, flow: LoadedFlow) -> None:
    if run.flow != flow.name:
        raise UsageError(f"{run.run_id} is a run of {run.flow}, not of {flow.name}.")
    project = flow.project
    mine = (project["project_name"], project["branch_name"]) if project else None
    if run.project is not None and run.project != mine:
        name, branch = run.project
        raise UsageError(
            f"{run.run_id} belongs to the branch {branch} of the project {name}: choose it with --branch or "
            "--production."
        )
