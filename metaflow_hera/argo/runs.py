"""Runs: starting one, finding it, and its state."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.argo.objects import arguments_of, parse_time
from metaflow_hera.argo.parameters import checked
from metaflow_hera.argo.progress import StepProgress, progress
from metaflow_hera.argo.settling import settled
from metaflow_hera.argo.starting import Start, submitted
from metaflow_hera.contract import manifest
from metaflow_hera.contract.manifest import RUN_PREFIX
from metaflow_hera.contract.objects import JSON, NOT_JSON
from metaflow_hera.contract.values import encode
from metaflow_hera.errors import ArgoError, ArgoNotFound, ArgoUnreachable, UsageError, quoted

R = TypeVar("R")

WORKFLOW_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}")
"""Kubernetes' names of objects, nearly (see its IsDNS1123Subdomain)."""
UNKNOWN_FLOW = "?"
"""Stands for the flow's name until Argo's controller has seen a run that was started elsewhere."""
ENDED = frozenset({"Succeeded", "Failed", "Error"})
SUMMARY = (
    "metadata.name,metadata.uid,metadata.annotations,metadata.labels,metadata.creationTimestamp,spec.suspend,"
    "spec.arguments,"
    + ",".join(
        f"status.{field}"
        for field in ("phase", "message", "startedAt", "finishedAt", "progress", "estimatedDuration")
    )
)
LISTED = ",".join(f"items.{field}" for field in SUMMARY.split(","))
RECENT = 2000
"""Among how many runs of a server, the latest, that of each deployment is looked for."""
PATIENCE = 120.0
"""For how many seconds to keep watching a run while its server does not answer."""


@dataclass(frozen=True)
class Run:
    """A run as it is now.

    `phase` is Argo's (Pending, Running, Succeeded, Failed, Error); `deployment` is the template that it was
    started from, `owner` and `token` are those of the deployment, as is `project`, with the branch.
    `estimate` is how long it may take, if Argo knows that from earlier runs. `uid` is Kubernetes' id of the
    workflow, `archived` says that this is the copy in Argo's archive: a run of which Kubernetes has nothing
    any more, unless it comes from a list. `scheduled_time` is the time that it was scheduled for, if any.
    `version` is that of the deployment, None if it had none; `new_code` says that a retry gave the run other
    code than that version's (a resubmitted run does not tell). `graph_note` tells of the flow's graph.
    """

    workflow: str
    flow: str
    deployment: str
    owner: str
    token: str
    project: tuple[str, str] | None
    phase: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None
    suspended: bool = False
    estimate: timedelta | None = None
    uid: str = ""
    archived: bool = False
    scheduled_time: datetime | None = None
    steps: Sequence[StepProgress] = ()
    version: int | None = None
    new_code: bool = False
    graph_note: str = ""

    @property
    def graph(self) -> Mapping[str, Sequence[str]]:
        """The flow's own graph: for each step those it may lead to, in the order of the flow.

        Empty where the run does not tell it.
        """
        with suppress(*NOT_JSON, TypeError, AttributeError):
            steps = json.loads(self.graph_note or "{}").get("steps") or {}
            found = {str(name): [str(each) for each in out] for name, out in steps.items()}
            return found if {each for out in found.values() for each in out} <= {*found} else {}
        return {}

    @property
    def run_id(self) -> str:
        """The run's id in Metaflow."""
        return manifest.run_id(self.workflow)

    @property
    def pathspec(self) -> str:
        """The run's pathspec in Metaflow."""
        return f"{self.flow}/{self.run_id}"

    @property
    def ended(self) -> bool:
        """Whether it has ended: nothing about it changes any more."""
        return self.phase in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it succeeded."""
        return self.phase == "Succeeded"

    @property
    def verdict(self) -> str:
        """How it ended, with the first reason that its steps give."""
        why = next((_reason(self, step) for step in self.steps if step.failures), self.message)
        return f"{self.pathspec} ended as {self.phase}. {why}".strip()

    def as_json(self, *, steps: bool = True) -> JSON:
        """All that is known about it, for programs; `steps` says whether to include its steps."""
        about: JSON = {
            "run_id": self.run_id,
            "pathspec": self.pathspec,
            "workflow": self.workflow,
            "flow": self.flow,
            "deployment": self.deployment,
            "version": self.version,
            "new_code": self.new_code,
            "owner": self.owner,
            "state": self.phase,
            "phase": self.phase,  # its name up to 0.4, for programs that read it
            "message": self.message,
            "suspended": self.suspended,
            "archived": self.archived,
            "scheduled_time": self.scheduled_time,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "estimated_seconds": None if self.estimate is None else self.estimate.total_seconds(),
        }
        if steps:
            about["steps"] = [
                {
                    **asdict(step),
                    "started_at": parse_time(step.started_at),
                    "finished_at": parse_time(step.finished_at),
                    "state": step.phase,
                    "phase": step.phase,
                    "tasks": step.tasks,
                    "done": step.done,
                }
                for step in self.steps
            ]
        return about

    def duration(self, now: datetime) -> timedelta | None:
        """How long it took, or has taken until now; None if it has not begun."""
        return None if self.started_at is None else (self.finished_at or now) - self.started_at


class RunList(list[R]):
    """Runs, the newest first. Called it is the same list, since `runs` of Metaflow's `Flow` is a method."""

    def __call__(self) -> RunList[R]:
        return self


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


def _meant(run: str) -> str | None:
    """The run that a text may mean: of another case, without its prefix, or with the name of a step."""
    flow, _, rest = run.strip("/").partition("/")
    run_id = rest.partition("/")[0] or flow
    name = run_id.lower().removeprefix(RUN_PREFIX)
    if not WORKFLOW_NAME.fullmatch(name):
        return None
    return f"{flow}/{RUN_PREFIX}{name}" if rest else f"{RUN_PREFIX}{name}"


def check_flow(run: Run, flow: str | None) -> None:
    """Raise UsageError if a run is not of a flow (None: any will do)."""
    if flow not in (None, UNKNOWN_FLOW, run.flow) and run.flow != UNKNOWN_FLOW:
        raise UsageError(
            f"{run.run_id} is a run of {run.flow}, not of {flow}: its pathspec is {run.pathspec}."
        )


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


def follow(
    client: ArgoClient,
    run: str,
    *,
    steps: bool,
    sleep: Callable[[float], None] = time.sleep,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[Run]:
    """A run as it changes: the first is yielded at once, and the last is the run that has ended.

    If the server does not answer for a while (because it restarts, say), this waits, and tells `note` so
    once. The more a request costs, the fewer are made.
    """
    while True:
        before = time.monotonic()
        current = patiently(client, lambda: get(client, run, steps=steps), sleep, note)
        cost = time.monotonic() - before  # before the yield: the time that the reader takes is not the look's
        yield current
        if current.ended:
            return
        sleep(pause_after(cost))


def patiently(
    client: ArgoClient,
    look: Callable[[], R],
    sleep: Callable[[float], None] = time.sleep,
    note: Callable[[str], None] = lambda _: None,
) -> R:
    """What a look finds. If the server does not answer for a while, this waits, and tells `note` so once."""
    silent_since: float | None = None
    while True:
        before = time.monotonic()
        try:
            return look()
        except ArgoUnreachable:
            if silent_since is None:
                silent_since = before
                start = " (mfhera local start starts it)" if client.target.embedded else ""
                note(f"{client.target} cannot be reached at the moment: waiting for it{start}.")
            if time.monotonic() - silent_since > PATIENCE:
                raise
            sleep(1.0)


def pause_after(cost: float) -> float:
    """The seconds until the next look, after one that took so many: the more one costs, the fewer."""
    return max(0.5, 4 * cost)


def sleep_until(run: str, timeout: float | None) -> Callable[[float], None]:
    """A `sleep` for `follow` that raises TimeoutError once that many seconds have passed; None: never."""
    deadline = float("inf") if timeout is None else time.monotonic() + timeout

    def sleep(seconds: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{run} has not ended within {timeout} seconds: it is still running.")
        time.sleep(min(seconds, left))

    return sleep


def as_run(workflow: JSON) -> Run:
    """A run from its workflow."""
    metadata, spec, status = workflow["metadata"], workflow.get("spec") or {}, workflow.get("status") or {}
    # On the workflow once the controller has seen it; `start` adds the flow's name at once.
    notes, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    project = notes.get(manifest.PROJECT_NAME)
    return Run(
        workflow=metadata["name"],
        flow=notes.get(manifest.FLOW_NAME, UNKNOWN_FLOW),
        deployment=labels.get(manifest.TEMPLATE_LABEL, ""),
        owner=notes.get(manifest.OWNER, ""),
        token=notes.get(manifest.PRODUCTION_TOKEN, ""),
        project=(project, notes.get(manifest.BRANCH_NAME, "")) if project else None,
        phase=status.get("phase") or "Pending",
        message=status.get("message") or "",
        started_at=parse_time(status.get("startedAt")),
        finished_at=parse_time(status.get("finishedAt")),
        suspended=bool(spec.get("suspend")) or _has_suspended(status),
        estimate=timedelta(seconds=estimate) if (estimate := status.get("estimatedDuration")) else None,
        uid=metadata.get("uid", ""),
        archived=labels.get(manifest.ARCHIVED) == manifest.ONLY_ARCHIVED,
        scheduled_time=_noted_time(notes.get(manifest.SCHEDULED_FOR)),
        steps=progress(status),
        version=int(version) if (version := labels.get(manifest.VERSION, "")).isdecimal() else None,
        new_code=manifest.CODE_PARAMETER in arguments_of(spec) and manifest.RESUBMITTED_FROM not in labels,
        graph_note=notes.get(manifest.GRAPH, ""),
    )


def may_have_been_retried(workflow: JSON) -> bool:
    """Whether a run may have been retried after its end: Argo's retry takes that back and resets its start.

    A run that had to wait for others at first looks the same.
    """
    status = workflow.get("status") or {}
    if any(
        condition.get("type") == "Completed" and condition.get("status") == "False"
        for condition in status.get("conditions") or ()
    ):
        return True
    made = parse_time(workflow["metadata"].get("creationTimestamp"))
    started = parse_time(status.get("startedAt"))
    return made is not None and started is not None and started - made > timedelta(seconds=1)


def _has_suspended(status: JSON) -> bool:
    """Whether a step of the workflow itself waits for somebody to resume it."""
    nodes = (status.get("nodes") or {}).values()
    return any(node["type"] == "Suspend" and node.get("phase") == "Running" for node in nodes)


def _reason(run: Run, step: StepProgress) -> str:
    failure = step.failures[0]
    again = f" after {failure.attempts} attempts" if failure.attempts > 1 else ""
    task = f"{step.name}{failure.path}"
    return (
        f"Step {step.name} (task {task}) failed{again}: {failure.message.rstrip('.')}. "
        f"Its log tells why: mfhera logs {run.run_id} {step.name}/{task}"
    )


def _noted_time(text: str | None) -> datetime | None:
    """A time from an annotation, which anyone may have written; None for what is none."""
    try:
        moment = parse_time(text)
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else None
