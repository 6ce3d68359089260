"""The controller of one workflow: events in, changed nodes and actions out (operate in operator.go)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from metaflow_hera.embedded.controller.calls import execute, launch
from metaflow_hera.embedded.controller.execution import Call, CallError, Execution
from metaflow_hera.embedded.controller.lock_table import LockTable
from metaflow_hera.embedded.controller.messages import (
    Advance,
    Event,
    PodEnded,
    PodProgress,
    PodRunning,
    Resume,
    Shutdown,
    Suspend,
)
from metaflow_hera.embedded.controller.mutexes import BadLock
from metaflow_hera.embedded.controller.nodes import ACTIVE, UNSUCCESSFUL
from metaflow_hera.embedded.controller.pods import (
    STEP_PAST_DEADLINE,
    fail_from_outside,
    pod_ended,
    pod_running,
)
from metaflow_hera.embedded.controller.suspension import resume_node
from metaflow_hera.embedded.expressions.gojson import any_string, dump_structs
from metaflow_hera.embedded.expressions.variables import substitute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds, timestamp

LABEL_PHASE = "workflows.argoproj.io/phase"
LABEL_COMPLETED = "workflows.argoproj.io/completed"
POD_NAMES = "workflows.argoproj.io/pod-name-format"
"""The annotation with which Argo's controller says how it names pods."""
MOST_MESSAGE = 2_000
"""Characters of the reason of a fault."""
_ROOT, _EXIT = 0, 1


class Operation:
    """Advances one workflow. It does no I/O and knows no clock.

    `workflow` is Argo's Workflow object with metadata, spec and status; it is changed in place. A new
    Operation of the same object, or of a copy, continues where the old one was. `estimates` are the
    seconds that each node took the last time, by its name without the workflow's; the workflow itself
    is "". `locks` are those of all workflows, among which are its own.
    """

    def __init__(
        self,
        workflow: JSON,
        estimates: Mapping[str, int] | None = None,
        locks: LockTable | None = None,
    ) -> None:
        self.workflow = workflow
        self._estimates = estimates or {}
        locks = LockTable() if locks is None else locks
        self._run = Execution(workflow, execute, launch, self._estimates, locks)
        self._admitted = False
        self._begun = False
        self._is_new = True
        self._error: str | None = None
        self._watched: set[str] = set()

    @property
    def finished(self) -> bool:
        """Whether the workflow is over and will not change any more."""
        labels = self.workflow["metadata"].get("labels") or {}
        return labels.get(LABEL_COMPLETED) == "true"

    def advance(self, events: Iterable[Event], now: float) -> Advance:
        """Apply what happened and go as far as possible. `now` is in seconds since the epoch."""
        run = self._run
        if self.finished:
            return Advance()
        run.nodes.now = now
        run.turn += 1
        before = self._summary()
        if not self._admit():
            self._wait_outside(events)
            return self._outcome(before)
        first = self._mark_running()
        if not first and self._is_new:
            # By now the labels hold what Argo's controller wrote when it first saw the workflow.
            self._is_new = False
            run.refresh_labels()
        if not first and not self._begun and not self._is_held_outside():
            self._begin()
        self._take_in(events, first)
        self._go_on()
        return self._outcome(before)

    # The workflow's own lock.

    def _admit(self) -> bool:
        """Whether the workflow has the locks that it needs as a whole."""
        synchronization = self._run.spec.get("synchronization")
        if self._admitted or synchronization is None:
            return True
        mutexes = self._run.mutexes
        try:
            locks = mutexes.names(substitute(synchronization, self._run.globals.resolve))
        except BadLock as error:
            self._end("Failed", f"Failed to acquire the synchronization lock. {error}")
            return False
        refusal = mutexes.acquire("", locks)
        self._admitted = refusal is None
        if refusal is not None:
            self.workflow["status"].update(phase="Pending", message=refusal.message)
        return self._admitted

    def _wait_outside(self, events: Iterable[Event]) -> None:
        """What happens to a workflow that has not begun; a `stop` waits too, as in Argo."""
        if self.finished:
            return
        labels = self._labels()
        labels[LABEL_PHASE] = "Pending"
        labels.setdefault(LABEL_COMPLETED, "false")
        for event in events:
            self._obey(event)
        if self._run.shutdown == "Terminate":
            self._end("Failed", "Stopped with strategy 'Terminate'")

    # Events.

    def _take_in(self, events: Iterable[Event], first: bool) -> None:
        run = self._run
        orders: list[Event] = []
        running = False
        for event in events:
            if isinstance(event, PodRunning):
                pod_running(run, event)
            elif isinstance(event, PodProgress):
                run.nodes.progressed(event.node_id, event.done, event.total)
            elif isinstance(event, PodEnded):
                # A pod that was told to end reports its results while it is still there.
                running = running or (self._is_unsynced(event.node_id) and not event.by_itself)
                pod_ended(run, event)
            else:
                orders.append(event)
        if not first:
            self._condition("PodRunning", running or run.nodes.running_pods > 0)
        for event in orders:
            self._obey(event)
        if run.shutdown:
            self._shut_down()

    def _is_unsynced(self, key: str) -> bool:
        node = self._run.nodes.by_id.get(key)
        return node is not None and node["phase"] == "Failed" and node.get("taskResultSynced") is False

    def _obey(self, event: Event) -> None:
        spec = self.workflow["spec"]
        if isinstance(event, Shutdown):
            spec["shutdown"] = event.strategy
        elif isinstance(event, Suspend):
            spec["suspend"] = True
        elif isinstance(event, Resume):
            spec.pop("suspend", None)
            for key in list(self._run.suspended):
                resume_node(self._run, key)
            for frame in list(self._run.frames.values()):
                self._run.stir(frame)

    def _shut_down(self) -> None:
        """Fail what the shutdown ends (applyExecutionControl, failNodesWithoutCreatedPods...)."""
        run = self._run
        message = f"workflow shutdown with strategy:  {run.shutdown}"
        for key, entry in list(run.pods.items()):
            if not run.may_start(entry.on_exit) and run.nodes.by_id[key]["phase"] in ACTIVE:
                fail_from_outside(run, key, message)
        for key, entry in list(run.suspended.items()):
            if not run.may_start(entry.on_exit):
                self._fail_suspended(key, f"Stopped with strategy '{run.shutdown}'")
        for key, call in run.mutexes.waiting():
            if not run.may_start(call.on_exit):
                self._fail_node(run.nodes.by_id[key], call, f"Stopped with strategy '{run.shutdown}'")
        for frame in list(run.frames.values()):
            run.stir(frame)

    def _fail_node(self, node: JSON, call: Call, message: str) -> None:
        self._run.nodes.mark(node, "Failed", message)
        self._run.tell(call.owner, call.key, node)

    def _fail_suspended(self, key: str, message: str) -> None:
        run = self._run
        entry = run.suspended.pop(key)
        node = run.nodes.by_id[key]
        run.nodes.mark(node, "Failed", message)
        run.tell(entry.owner, entry.key, node)

    def _past_deadline(self) -> None:
        """Fail what has not started by the workflow's deadline."""
        run = self._run
        for key, entry in list(run.pods.items()):
            if not entry.on_exit and run.nodes.by_id[key]["phase"] == "Pending":
                fail_from_outside(run, key, STEP_PAST_DEADLINE)
        for key, entry in list(run.suspended.items()):
            if not entry.on_exit:
                self._fail_suspended(key, STEP_PAST_DEADLINE)
        for key, call in run.mutexes.waiting():
            node = run.nodes.by_id[key]
            if node["phase"] == "Pending" and not call.on_exit:
                self._fail_node(node, call, STEP_PAST_DEADLINE)
        for frame in list(run.frames.values()):  # no retry waits any longer
            if frame.node["phase"] == "Pending" and not frame.call.on_exit:
                run.forget(frame, frame.node)
                self._fail_node(frame.node, frame.call, STEP_PAST_DEADLINE)
            run.stir(frame)

    # The workflow.

    def _mark_running(self) -> bool:
        """Begin; returns whether the controller had not seen the workflow before."""
        status = self.workflow["status"]
        phase = status.get("phase") or ""
        if phase not in ("", "Pending") or (phase and self._run.held):
            return False
        status["phase"] = "Running"
        self._start_clock()
        status.setdefault("finishedAt", None)
        status.pop("message", None)
        labels = self._labels()
        labels[LABEL_PHASE] = "Running"
        labels.setdefault(LABEL_COMPLETED, "false")
        if phase:  # it has waited for a lock: Argo then leaves out what it does at first sight
            return False
        metadata = self.workflow["metadata"]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), POD_NAMES: "v2"}
        return True

    def _is_held_outside(self) -> bool:
        """Whether the workflow is suspended and has no node yet, so that there is nothing to continue."""
        return self._run.held and self._run.name not in self._run.nodes.by_id

    def _start_clock(self) -> None:
        status = self.workflow["status"]
        if not status.get("startedAt"):
            status["startedAt"] = timestamp(self._run.now)
            if estimate := self._estimates.get(""):
                status["estimatedDuration"] = estimate

    def _labels(self) -> JSON:
        labels = self.workflow["metadata"].get("labels")
        if labels is None:
            labels = self.workflow["metadata"]["labels"] = {}
        result: JSON = labels
        return result

    def _go_on(self) -> None:
        run = self._run
        if run.held:
            run.run()
            return
        self._mark_running()  # after a lock and `suspend`
        if not self._begun:
            self._begin()
        run.ring()
        run.run()
        self._end_what_hangs()
        root = run.nodes.by_id.get(run.name)
        over = root is not None and root["phase"] not in ACTIVE
        if not self.finished and (over or self._error is not None):
            self._complete(root)

    def _end_what_hangs(self) -> None:
        """Fail what would wait for ever, once the workflow is to end: at a shutdown or its deadline.

        A tag that is never resolved, or a parallelism of 0, holds a template with nothing under way in it.
        Argo leaves such a workflow Running; here nothing is beyond `stop`, `terminate` and its own deadline.
        """
        run, nodes = self._run, self._run.nodes
        past_deadline = run.deadline is not None and run.now >= run.deadline
        if not (run.shutdown or past_deadline) or nodes.active_pods or nodes.unsynced:
            return
        if run.suspended or run.mutexes.waiting():
            return
        reason = f"workflow shutdown with strategy:  {run.shutdown}" if run.shutdown else STEP_PAST_DEADLINE
        hanging = [
            frame
            for frame in run.frames.values()
            if (run.shutdown or not frame.call.on_exit) and not run.is_left_behind(frame.call.boundary)
        ]
        for frame in sorted(hanging, key=lambda frame: -len(frame.path)):
            frame.give_up(reason)
        run.run()
        if nodes.by_id.get(run.name) is None and self._error is None:
            self._end("Failed", f"Stopped with strategy '{run.shutdown}'" if run.shutdown else reason)

    def _begin(self) -> None:
        """Execute the entrypoint, or continue with all that is under way."""
        run = self._run
        self._begun = True
        self._call(run.name, str(run.spec.get("entrypoint", "")), _ROOT)
        run.run()
        root = run.nodes.by_id.get(run.name)
        if root is not None and root["phase"] not in ACTIVE and run.nodes.find(f"{run.name}.onExit"):
            self._exit_handler(_outcome_of(root))
        if run.deadline is not None:
            run.at(run.deadline, self._past_deadline)

    def _call(self, name: str, template: str, key: int) -> JSON | None:
        run = self._run
        parameters = (run.spec.get("arguments") or {}).get("parameters") or []
        values = {p["name"]: any_string(p.get("value")) for p in parameters}
        arguments = {name: value for name, value in values.items() if value is not None}
        flag = {"hooked": True} if key == _EXIT else None
        on_exit = key == _EXIT
        call = Call(name, template, arguments, self, key, (key,), 1, on_exit=on_exit, flag=flag, kind="steps")
        return self._execute(call)

    def _execute(self, call: Call) -> JSON | None:
        try:
            return self._run.execute(call)
        except CallError as error:
            which = "entry template execution" if call.key == _ROOT else "exit template execution "
            self._error = f"error in {which}: {error}"
            return None

    def ended(self, key: int, node: JSON) -> None:
        """The root or the exit handler is over; `_go_on` handles it."""

    def go_on(self, call: Call) -> None:
        """The root or the exit handler has what it waited for."""
        self._execute(call)

    def _complete(self, root: JSON | None) -> None:
        """The root is over: run the exit handler, then end the workflow."""
        run = self._run
        if self._error is not None or root is None:
            self._end("Error", self._error or "")
            return
        phase = _outcome_of(root)
        if root["type"] in ("DAG", "Steps") and phase == "Error" and root.get("message"):
            self._end("Error", f"error in entry template execution: {root['message']}")
            return
        exit_node = self._exit_handler(phase)
        if self._error is not None:
            self._end("Error", self._error)
            return
        if exit_node is not None and exit_node["phase"] in ACTIVE:
            return
        if exit_node is None and run.spec.get("onExit") and run.may_start(True):
            return
        # Pods that a stopped exit handler began, and results that are yet to come (markWorkflowPhase).
        if run.nodes.unsynced or run.nodes.active_pods:
            return
        message = root.get("message", "")
        if phase in UNSUCCESSFUL and run.shutdown:
            message = f"Stopped with strategy '{run.shutdown}'"
        elif phase == "Succeeded":
            message = ""
            if exit_node is not None and exit_node["phase"] in UNSUCCESSFUL:
                phase, message = exit_node["phase"], exit_node.get("message", "")
        self._end(phase, message)

    def _exit_handler(self, phase: str) -> JSON | None:
        """Start, continue or check the exit handler; None if there is none or it has to wait."""
        run = self._run
        template = run.spec.get("onExit")
        if not template:
            return None
        name = f"{run.name}.onExit"
        node = run.nodes.find(name)
        if (node is None and not run.may_start(True)) or (node is not None and node["id"] in self._watched):
            return node
        self._status_values(phase, template)
        node = self._call(name, template, _EXIT)
        if node is not None:
            self._watched.add(node["id"])
            run.run()
        return node

    def _status_values(self, phase: str, template: str) -> None:
        values = self._run.globals.values
        values["workflow.status"] = phase
        started = self.workflow["status"].get("startedAt")
        values["workflow.duration"] = f"{max(0.0, self._run.now - seconds(started)):f}"
        failures = [
            {
                "displayName": node["displayName"],
                "message": node.get("message", ""),
                "templateName": node.get("templateName", ""),
                "phase": node["phase"],
                "podName": self._run.pod_name(node["name"], node.get("templateName", "")),
                "finishedAt": node.get("finishedAt"),
            }
            for node in self._run.nodes.by_id.values()
            if node["phase"] in UNSUCCESSFUL
        ]
        # A nil slice where nothing failed; quoted once more, so that the quotes survive being put into a
        # template.
        text = dump_structs(failures) if failures else "null"
        values["workflow.failures"] = json.dumps(text, ensure_ascii=False)

    def _end(self, phase: str, message: str) -> None:
        run, status = self._run, self.workflow["status"]
        status["phase"] = phase
        self._start_clock()
        status["finishedAt"] = timestamp(run.now)
        if message:
            status["message"] = message
        else:
            status.pop("message", None)
        root = run.nodes.by_id.get(run.name)
        if phase == "Error" and root is not None and root["phase"] == "Running":
            run.nodes.mark(root, "Error", "Workflow operation error")
        labels = self._labels()
        labels[LABEL_PHASE] = phase
        labels[LABEL_COMPLETED] = "true"
        self._condition("Completed", True)
        run.mutexes.end()
        for node in run.nodes.progress.settle():
            run.nodes.touch(node)

    def _condition(self, kind: str, value: bool) -> None:
        conditions: list[JSON] = self.workflow["status"].setdefault("conditions", [])
        text = "True" if value else "False"
        for condition in conditions:
            if condition["type"] == kind:
                condition["status"] = text
                return
        conditions.append({"type": kind, "status": text})

    # The outcome.

    def _summary(self) -> Any:
        status = self.workflow["status"]
        return (
            status.get("phase"),
            status.get("message"),
            status.get("progress"),
            [(c["type"], c["status"]) for c in status.get("conditions") or ()],
            dict(self.workflow["metadata"].get("labels") or {}),
            self.workflow["spec"].get("shutdown"),
            self.workflow["spec"].get("suspend"),
        )

    def _outcome(self, before: Any) -> Advance:
        run = self._run
        run.mutexes.hear()
        for node in run.nodes.progress.flush():
            run.nodes.touch(node)
        progress = run.nodes.progress
        self.workflow["status"]["progress"] = f"{progress.done}/{progress.total}"
        outcome = Advance(
            nodes=run.nodes.changed,
            actions=run.actions,
            workflow_changed=run.mutexes.changed or self._summary() != before,
            wake_at=None if self.finished else run.next_time(),
        )
        run.nodes.changed = {}
        run.actions = []
        run.mutexes.changed = False
        return outcome


def fail_workflow(workflow: JSON, error: Exception, now: float) -> dict[str, JSON]:
    """End a workflow on which the controller has failed; returns the nodes that changed, by id."""
    name, at = workflow["metadata"]["name"], timestamp(now)
    status = workflow.setdefault("status", {})
    message = f"the embedded Argo failed at workflow {name}: {type(error).__name__}: {error}"[:MOST_MESSAGE]
    status.update(phase="Error", finishedAt=at, message=message)
    status["startedAt"] = status.get("startedAt") or at
    status.pop("synchronization", None)
    labels = {LABEL_COMPLETED: "true", LABEL_PHASE: "Error"}
    workflow["metadata"]["labels"] = {**(workflow["metadata"].get("labels") or {}), **labels}
    changed: dict[str, JSON] = {}
    for key, node in (status.get("nodes") or {}).items():
        waited = node.pop("synchronizationStatus", None) is not None
        if node.get("phase") in ACTIVE:
            node.update(phase="Error", finishedAt=at, message="Workflow operation error")
        elif not waited:
            continue
        changed[key] = node
    return changed


def _outcome_of(root: JSON) -> str:
    phase: str = root["phase"]
    return phase if phase in UNSUCCESSFUL else "Succeeded"
