"""Pods of container templates: requesting them, and what their ends mean for their nodes."""

from __future__ import annotations

from typing import Any

from metaflow_hera.embedded.controller.execution import Call, CallError, Execution, PodEntry, inputs_of
from metaflow_hera.embedded.controller.messages import RESULT, CreatePod, KillPod, PodEnded, PodRunning
from metaflow_hera.embedded.controller.nodes import FULFILLED, fulfilled
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.json_object import JSON

PAST_DEADLINE = "Pod was active on the node longer than the specified deadline"
STEP_PAST_DEADLINE = "Step exceeded its deadline"


def start_pod(run: Execution, call: Call, template: JSON, node: JSON | None = None) -> JSON:
    """Create the node of a pod, unless it has waited, and request the pod (createWorkflowPod of Argo)."""
    if node is None:
        node = run.create(call, "Pod", "Pending", inputs=inputs_of(template))
    if not run.may_start(call.on_exit):
        run.nodes.mark(node, "Failed", f"workflow shutdown with strategy: {run.shutdown}")
        return node
    try:
        limit = _active_deadline(run, call, template)
    except ValueError as error:
        run.nodes.mark(node, "Error", str(error))
        raise CallError(str(error)) from error
    if limit is not None and limit <= 0:
        run.nodes.mark(node, "Failed", STEP_PAST_DEADLINE)
        return node
    watch_pod(run, call, template, node)
    name = run.pod_name(call.name, call.template)
    run.actions.append(CreatePod(node["id"], name, template, limit, _wants_result(run, call)))
    return node


def _wants_result(run: Execution, call: Call) -> bool:
    """Whether the template around refers to the standard output of this task (includeScriptOutput)."""
    if call.boundary is None:
        return False
    name = call.name.partition("(")[0].rpartition(".")[2]
    return name in run.result_refs(call.boundary["templateName"])


def watch_pod(run: Execution, call: Call, template: JSON, node: JSON) -> None:
    """Listen to a pod that was requested."""
    outputs = (template.get("outputs") or {}).get("parameters") or []
    run.pods[node["id"]] = PodEntry(call.owner, call.key, outputs, call.on_exit)


def _active_deadline(run: Execution, call: Call, template: JSON) -> float | None:
    limits: list[float] = []
    own = template.get("activeDeadlineSeconds")
    if own is not None:
        try:
            limits.append(float(int(own)))
        except (ValueError, OverflowError) as error:  # say, its tag has come out empty
            raise ValueError(f"value '{own}' cannot be resolved to an int") from error
    # Exit handlers run even after the workflow's deadline.
    if run.deadline is not None and not call.on_exit:
        limits.append(run.deadline - run.now)
    if call.deadline is not None:
        limits.append(call.deadline - run.now)
    return min(limits, default=None)


def pod_running(run: Execution, event: PodRunning) -> None:
    """The process of a pod was started."""
    node = run.nodes.by_id.get(event.node_id)
    if node is not None and node["phase"] == "Pending":
        run.nodes.mark(node, "Running")


def pod_ended(run: Execution, event: PodEnded) -> None:
    """The process of a pod is gone (assessNodeStatus in operator.go)."""
    node = run.nodes.by_id.get(event.node_id)
    entry = run.pods.pop(event.node_id, None)
    if node is None:
        return
    if node["phase"] in FULFILLED:
        if event.by_itself and not fulfilled(node):
            message = node.get("message", "")
            _assess(run, node, _declared(run, node) if entry is None else entry.outputs, event)
            if node["phase"] == "Succeeded":
                run.nodes.mark(node, "Succeeded", message)
        else:
            _late_results(run, node, event)
        around = run.nodes.by_id.get(node.get("boundaryID", ""))
        if entry is not None and not run.is_left_behind(around):
            run.tell(entry.owner, entry.key, node)
        return
    declared = _declared(run, node) if entry is None else entry.outputs
    _assess(run, node, declared, event)
    if entry is not None:
        run.tell(entry.owner, entry.key, node)


def _assess(run: Execution, node: JSON, declared: list[JSON], event: PodEnded) -> None:
    """Set the result of a pod: its node is over."""
    if event.exit_code is None:
        run.nodes.mark(node, "Error", event.message or "pod deleted")
        return
    reported, missing = _reported(declared, event)
    outputs: dict[str, Any] = {"parameters": reported} if reported else {}
    if RESULT in event.outputs:
        outputs["result"] = event.outputs[RESULT]
    outputs["exitCode"] = str(event.exit_code)
    node["outputs"] = outputs
    if event.past_deadline:
        run.nodes.mark(node, "Failed", PAST_DEADLINE)
    elif event.exit_code:
        run.nodes.mark(node, "Failed", event.message or f"main: Error (exit code {event.exit_code})")
    elif missing is not None:
        path = f"/var/run/argo/outputs/parameters{missing}"
        message = f"wait: Error (exit code 64): open {path}: no such file or directory"
        run.nodes.mark(node, "Error", message)
    else:
        run.nodes.mark(node, "Succeeded", "")


def _declared(run: Execution, node: JSON) -> list[JSON]:
    """The outputs that the template of a node declares."""
    template = run.template(node["templateName"]) or {}
    return (template.get("outputs") or {}).get("parameters") or []


def _late_results(run: Execution, node: JSON, event: PodEnded) -> None:
    """What a pod that was failed from outside still reports: its outputs, but no exit code."""
    if fulfilled(node):
        return
    reported, missing = _reported(_declared(run, node), event)
    outputs: JSON = {"parameters": reported} if reported and missing is None else {}
    if RESULT in event.outputs:
        outputs["result"] = event.outputs[RESULT]
    if outputs:
        node["outputs"] = outputs
    run.nodes.mark(node, node["phase"])


def _reported(declared: list[JSON], event: PodEnded) -> tuple[list[JSON], str | None]:
    """The outputs with values, and the path of the first that was not written and has no default.

    Argo's executor stops there (SaveParameters in executor.go): that one and those after it have no value.
    """
    found: list[JSON] = []
    missing: str | None = None
    for parameter in declared:
        if missing is not None:
            found.append(parameter)
            continue
        value = any_string(parameter.get("value"))
        if value is None:
            value = event.outputs.get(parameter["name"])
        if value is None:
            value = any_string((parameter.get("valueFrom") or {}).get("default"))
        if value is None:
            missing = str((parameter.get("valueFrom") or {}).get("path") or "")
            found.append(parameter)
        else:
            found.append({**parameter, "value": value})
    return found, missing


def fail_from_outside(run: Execution, key: str, message: str) -> None:
    """Fail the node of a pod and end the pod (handleExecutionControlError in exec_control.go)."""
    node, entry = run.nodes.by_id[key], run.pods[key]
    was_running = node["phase"] == "Running"
    run.nodes.mark(node, "Failed", message, synced=not was_running)
    run.actions.append(KillPod(key))
    if not was_running:
        del run.pods[key]
        run.tell(entry.owner, entry.key, node)
