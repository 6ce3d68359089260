"""What people call a run, `argo-NAME`, `Flow/argo-NAME` or `NAME`, and whether it is of that flow."""

from __future__ import annotations

import re

from metaflow_hera.argo.run import UNKNOWN_FLOW, Run
from metaflow_hera.contract.manifest import RUN_PREFIX
from metaflow_hera.errors import UsageError, quoted

WORKFLOW_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}")
"""Kubernetes' names of objects, nearly (see its IsDNS1123Subdomain)."""


def workflow_name(run: str) -> str:
    """The name of the workflow behind `argo-NAME`, `Flow/argo-NAME` or `NAME`."""
    return flow_and_workflow(run)[1]


def flow_and_workflow(run: str) -> tuple[str | None, str]:
    """The flow, if it is named, and the workflow behind `argo-NAME`, `Flow/argo-NAME` or `NAME`.

    Raises UsageError for other texts.
    """
    if run.endswith(".py"):
        raise UsageError(
            f"{run} is a script, and no run: leave it out for the run last started from this folder, "
            f"or name one of those that mfhera runs {run} lists."
        )
    flow, slash, run_id = run.strip("/").rpartition("/")
    name = run_id.removeprefix(RUN_PREFIX)
    is_pathspec = bool(flow) and "/" not in flow and run_id.startswith(RUN_PREFIX)
    if not WORKFLOW_NAME.fullmatch(name) or (slash and not is_pathspec):
        meant = _meant(run)
        if meant:
            raise UsageError(f"{quoted(run)} is not a run: did you mean {meant}?")
        raise UsageError(
            f"{quoted(run)} is not a run: give its id, which begins with argo-, "
            "such as argo-parameterflow-x7k2p or ParameterFlow/argo-parameterflow-x7k2p."
        )
    return flow or None, name


def check_flow(run: Run, flow: str | None) -> None:
    """Raise UsageError if a run is not of a flow (None: any will do)."""
    if flow not in (None, UNKNOWN_FLOW, run.flow) and run.flow != UNKNOWN_FLOW:
        raise UsageError(
            f"{run.run_id} is a run of {run.flow}, not of {flow}: its pathspec is {run.pathspec}."
        )


def _meant(run: str) -> str | None:
    """The run that a text may mean: of another case, without its prefix, or with the name of a step."""
    flow, _, rest = run.strip("/").partition("/")
    run_id = rest.partition("/")[0] or flow
    name = run_id.lower().removeprefix(RUN_PREFIX)
    if not WORKFLOW_NAME.fullmatch(name):
        return None
    return f"{flow}/{RUN_PREFIX}{name}" if rest else f"{RUN_PREFIX}{name}"
