"""Actions on a run, by those who may take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from metaflow_hera.argo import runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import check_same_flow, described
from metaflow_hera.argo.objects import arguments_of
from metaflow_hera.argo.run import SUMMARY, UNKNOWN_FLOW, Run, as_run
from metaflow_hera.argo.run_names import check_flow
from metaflow_hera.argo.settling import deleted, settled
from metaflow_hera.argo.tokens import check_access
from metaflow_hera.contract.manifest import CODE_PARAMETER
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import (
    ArgoDenied,
    ArgoError,
    ArgoNotFound,
    ArgoUnreachable,
    NotFoundError,
    UsageError,
)
from metaflow_hera.graph.tasks import TaskKey, parse_path
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.operations import old_argo
from metaflow_hera.operations.run_parameters import effective, recovered
from metaflow_hera.translation.names import token_prefix

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow

Action = Literal["suspend", "resume", "stop", "terminate"]
ACTED: dict[Action, str] = {
    "suspend": "is suspended",
    "resume": "goes on",
    "stop": "is stopped",
    "terminate": "is terminated",
}

ARGUMENTS = "metadata.name,spec.arguments,status.storedWorkflowTemplateSpec"
"""The fields of a workflow that tell of its parameters."""
FEW = 10
"""How many failed tasks are checked before a retry: each check reads the datastore."""


def act(
    client: ArgoClient, run: str, action: Action, authorize: str | None, flow: LoadedFlow | None = None
) -> Run:
    """Do an action to a run, and return the run as it was before.

    A run that is already suspended stays so. Raises NotYoursError if it is not this user's, UsageError if
    it has ended, if it cannot be resumed since it is not suspended, or if it is not a run of the given
    `flow`, ArgoNotFound if there is none.
    """
    # Its steps may suspend a run as well, which only the nodes show; `suspend` concerns all other steps.
    found = _own(client, run, authorize, flow, steps=action == "resume")
    if found.ended:
        raise _nothing_to(action, found)
    calls: dict[Action, Callable[[str], JSON]] = {
        "suspend": client.suspend,
        "resume": client.resume,
        "stop": client.stop,
        "terminate": client.terminate,
    }
    if action == "resume" and not found.suspended:
        raise UsageError(f"{found.run_id} is not suspended: there is nothing to resume.")
    if action == "suspend" and found.suspended:
        return found
    with _in_a_race(client, found, lambda now: _nothing_to(action, now) if now.ended else None):
        settled(
            lambda: calls[action](found.workflow),
            lambda: _acted(client, found.workflow, action),
            f"{found.run_id} {ACTED[action]}",
            f"mfhera status {found.run_id}",
        )
    return found


def _acted(client: ArgoClient, workflow: str, action: Action) -> JSON | None:
    """The workflow, if an action has had its effect on it."""
    now = client.workflow(workflow)
    run, shutdown = as_run(now), now["spec"].get("shutdown")
    done = {
        "suspend": run.suspended,
        "resume": not run.suspended,
        "stop": bool(shutdown) or run.ended,
        "terminate": shutdown == "Terminate" or run.ended,
    }
    return now if done[action] else None


def _nothing_to(action: Action, run: Run) -> UsageError:
    return UsageError(f"{run.run_id} has ended as {run.phase}: there is nothing to {action}.")


@contextmanager
def _in_a_race(client: ArgoClient, run: Run, said: Callable[[Run], UsageError | None]) -> Iterator[None]:
    """If Argo refuses a call because somebody was faster, raise what `said` returns for the run by now."""
    try:
        yield
    except (ArgoDenied, ArgoUnreachable):
        raise
    except ArgoError as error:
        if (words := said(runs.get(client, run.run_id, steps=False))) is None:
            raise
        raise words from error


def retry(
    client: ArgoClient,
    run: str,
    authorize: str | None,
    flow: LoadedFlow | None = None,
    new_code: LoadedFlow | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Run:
    """Let a failed run continue where it failed, and return it as it was before.

    One that only Argo's archive has becomes a workflow of Kubernetes again.

    With `new_code` the remaining tasks run that code. `note` gets a remark where an older Argo does more than
    was asked for. Raises UsageError if it has not failed or cannot continue, and what `act` raises.
    """
    found = _own(client, run, authorize, flow or new_code, steps=True)
    if found.succeeded:
        raise UsageError(
            f"{found.run_id} has succeeded, so there is nothing to retry: "
            f"mfhera resubmit {found.run_id} runs it again."
        )
    if not found.ended:
        raise UsageError(
            f"{found.run_id} has not ended: retry it when it has, "
            f"or end it first with mfhera terminate {found.run_id}."
        )
    _check_attempts(found)
    restart = _restarted(client, found, note)
    workflow = client.workflow(found.workflow, None if new_code else ARGUMENTS)
    parameters = recovered(client, found, workflow)
    if new_code is not None:
        from metaflow_hera.operations.new_code import new_code_parameter

        package = new_code_parameter(workflow, new_code)
        parameters = {**effective(workflow), **parameters, CODE_PARAMETER: package}
    goes_on = UsageError(
        f"{found.run_id} is already running again, since somebody else has retried it: "
        f"mfhera status {found.run_id} --watch shows it."
    )
    given = [f"{name}={value}" for name, value in parameters.items()]

    def look() -> JSON | None:
        now = client.workflow(found.workflow, SUMMARY)
        after = as_run(now)
        return now if not after.ended or after.started_at != found.started_at else None

    def send() -> JSON:
        if found.archived:
            return client.retry_archived(found.uid, found.workflow, given, restart)
        return client.retry(found.workflow, given, restart)

    with _in_a_race(client, found, lambda now: None if now.ended else goes_on):
        settled(
            send,
            look,
            f"{found.run_id} is running again",
            f"mfhera status {found.run_id}",
        )
    return found


def _restarted(client: ArgoClient, run: Run, note: Callable[[str], None]) -> str | None:
    """The node that has to be begun anew for a retry to work at all at this server; None: none.

    Raises UsageError if the server's Argo cannot retry the run.
    """
    if client.target.embedded or old_argo.retries_items(version := client.version()):
        return None
    groups = old_argo.failed_groups(client.workflow(run.workflow))
    if not groups:
        return None
    if len(groups) > 1:
        raise UsageError(
            f"Argo {version} cannot retry a run in which more than one foreach with several steps has "
            f"failed: start a new run with mfhera resubmit {run.run_id}."
        )
    step = groups[0].removeprefix(f"{run.workflow}.")
    note(
        f"Argo {version} can only begin a foreach of more than one step anew: all items of {step} run again. "
        f"From Argo {'.'.join(map(str, old_argo.RETRIES_ITEMS))} on only those that failed do."
    )
    return groups[0]


def resubmit(client: ArgoClient, run: str, authorize: str | None, flow: LoadedFlow | None = None) -> Run:
    """Start a new run with the parameters of another, and return the new one.

    Raises NotFoundError if its deployment no longer exists, and what `act` raises.
    """
    found = _own(client, run, authorize, flow, steps=False)
    template = _deployed(client, found)
    # A retry may have given it other code, which is not that of the current deployment.
    given = arguments_of(client.workflow(found.workflow, "metadata.name,spec.arguments").get("spec") or {})
    code: tuple[str, ...] = ()
    if CODE_PARAMETER in given:
        deployed = arguments_of(template["spec"]).get(CODE_PARAMETER)
        if deployed is None:
            raise UsageError(
                f"{found.deployment} was deployed by an older version of mfhera: "
                "deploy it again with mfhera create, then resubmit the run."
            )
        code = (f"{CODE_PARAMETER}={deployed}",)
    return runs.resubmit(client, found, code)


def _deployed(client: ArgoClient, run: Run) -> JSON:
    """The template that a run was started from, as it is now.

    Raises NotFoundError if it has been deleted, NameTakenError if it now belongs to another flow.
    """
    try:
        template = client.template(run.deployment)
    except ArgoNotFound as error:
        raise NotFoundError(
            f"The deployment {run.deployment} of {run.run_id} has been deleted: "
            "deploy the flow again with mfhera create, then resubmit the run."
        ) from error
    found = described(template)
    if run.flow != UNKNOWN_FLOW:  # Argo adds flow and project once it has seen a run
        check_same_flow(found, run.flow, *(run.project or (found.project, found.branch)))
    return template


def delete(client: ArgoClient, run: str, authorize: str | None) -> Run:
    """Remove a run from Argo, and return it as it was; its results stay in the datastore.

    One that only Argo's archive has is removed from that; of others the copy in the archive stays.

    Raises UsageError if it has not ended, NotYoursError if it is not this user's.
    """
    found = _own(client, run, authorize, None, steps=True)
    if not found.ended:
        raise UsageError(
            f"{found.run_id} has not ended: "
            f"end it first with mfhera terminate {found.run_id}, then delete it."
        )

    def look() -> JSON | None:
        try:
            left = client.workflow(found.workflow, "metadata")
        except ArgoNotFound:
            return None
        # Argo's server answers with the copy in its archive, if it has one.
        return None if as_run(left).archived and not found.archived else left

    see = f"mfhera status {found.run_id}"

    def remove() -> None:
        if found.archived:
            client.delete_archived(found.uid)
        else:
            client.delete_workflow(found.workflow)

    deleted(remove, look, found.run_id, see)
    return found


def _own(client: ArgoClient, run: str, authorize: str | None, flow: LoadedFlow | None, *, steps: bool) -> Run:
    """A run that this user may act on.

    Raises NotYoursError for another's, UsageError for one that is not of the flow.
    """
    found = runs.get(client, run, steps=steps)
    if flow is not None:
        check_flow(found, flow.name)
        _check_branch(found, flow)
    project, branch = found.project or (None, None)
    prefix = token_prefix(found.flow, found.deployment, project, branch)
    check_access(found, prefix, user(), authorize)
    return found


def _check_attempts(run: Run) -> None:
    """Raise UsageError for a run with a task that is known to have had all attempts Metaflow allows."""
    failures = [(step.name, failure.path) for step in run.steps for failure in step.failures]
    if not failures:
        return
    # Imported here, since importing Metaflow takes longer than any other action on a run.
    from metaflow_hera.metaflow_api.pod.run_store import MAX_ATTEMPTS
    from metaflow_hera.metaflow_api.read.tasklogs import StoredLogs

    stored = StoredLogs(run.pathspec)
    for step, path in failures[:FEW]:
        task = TaskKey(step, parse_path(path))
        if stored.attempts(task) >= MAX_ATTEMPTS:
            raise UsageError(
                f"Task {step}/{task.task_id} has had {MAX_ATTEMPTS} attempts, which is all that Metaflow "
                f"allows: start a new run with mfhera resubmit {run.run_id}."
            )


def _check_branch(run: Run, flow: LoadedFlow) -> None:
    project = flow.project
    mine = (project["project_name"], project["branch_name"]) if project else None
    if run.project is not None and run.project != mine:
        name, branch = run.project
        raise UsageError(
            f"{run.run_id} belongs to the branch {branch} of the project {name}: "
            "choose it with --branch or --production."
        )
