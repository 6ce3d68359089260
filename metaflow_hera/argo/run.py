"""A run, as its workflow tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from metaflow_hera.argo.objects import arguments_of, parse_time
from metaflow_hera.argo.progress import StepProgress, progress
from metaflow_hera.contract import manifest
from metaflow_hera.contract.objects import JSON, NOT_JSON

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
"""The fields of a workflow that tell all of a run but its steps."""


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


def as_run(workflow: JSON) -> Run:
    """A run from its workflow."""
    metadata, spec, status = workflow["metadata"], workflow.get("spec") or {}, workflow.get("status") or {}
    # On the workflow once the controller has seen it; `runs.start` adds the flow's name at once.
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
