"""Executing a template at a place: executeTemplate of Argo's operator.go."""

from __future__ import annotations

from metaflow_hera.embedded.controller.dag import DagFrame
from metaflow_hera.embedded.controller.dag_order import UnknownTarget
from metaflow_hera.embedded.controller.execution import (
    MAX_DEPTH,
    TOO_DEEP,
    Call,
    CallError,
    Execution,
    inputs_of,
)
from metaflow_hera.embedded.controller.nodes import fulfilled
from metaflow_hera.embedded.controller.parameters import fill, supply
from metaflow_hera.embedded.controller.pods import start_pod, watch_pod
from metaflow_hera.embedded.controller.retries import RetryFrame
from metaflow_hera.embedded.controller.steps import StepsFrame
from metaflow_hera.embedded.controller.suspension import suspend
from metaflow_hera.embedded.expressions.variables import SubstitutionError
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import pod_container


def execute(run: Execution, call: Call) -> JSON | None:
    """Start a template, or continue with the node that is there already.

    Returns the node, which may be fulfilled already, or None when a limit says to wait. Raises
    CallError; the node is then marked, except for what the caller adds to its message.
    """
    node = run.nodes.find(call.name)
    if node is not None and fulfilled(node):
        return node
    if call.depth >= MAX_DEPTH:
        return _fail(run, call, node, TOO_DEEP)
    if run.is_blocked(call, node):
        return None
    try:
        template = _filled(run, call)
    except SubstitutionError as error:
        _fail(run, call, node, str(error))
        raise CallError(str(error)) from error
    strategy = _retry_strategy(run, template)
    if strategy is not None:
        return RetryFrame.start(run, call, template, strategy, node)
    return launch(run, call, template, node)


def launch(run: Execution, call: Call, template: JSON, node: JSON | None) -> JSON:
    """Start a filled template, regardless of its retries."""
    if template.get("dag") is not None:
        return _launch_group(run, call, template, node, "DAG", DagFrame)
    if template.get("steps") is not None:
        return _launch_group(run, call, template, node, "Steps", StepsFrame)
    if template.get("suspend") is not None:
        return suspend(run, call, template, node)
    if node is not None:
        watch_pod(run, call, template, node)
        return node
    return start_pod(run, call, template)


def _filled(run: Execution, call: Call) -> JSON:
    template = run.template(call.template)
    if template is None:
        raise SubstitutionError(f"template {call.template} not found in workflow template")
    local = {"node.name": call.name}
    if call.task or call.kind == "steps":  # the whole workflow is called as a step without a name
        local[f"{call.kind}.name"] = call.task
    if pod_container(template) is not None and _retry_strategy(run, template) is None:
        local["pod.name"] = run.pod_name(call.name, call.template)
    values = run.globals.values
    return fill(supply(template, call.arguments), lambda tag: local[tag] if tag in local else values.get(tag))


def _retry_strategy(run: Execution, template: JSON) -> JSON | None:
    strategy: JSON | None = template.get("retryStrategy")
    return strategy if strategy is not None else run.spec.get("retryStrategy")


def _fail(run: Execution, call: Call, node: JSON | None, message: str) -> JSON:
    if node is None:
        return run.create(call, "Skipped", "Error", message)
    run.nodes.mark(node, "Error", message)
    return node


def _launch_group(
    run: Execution,
    call: Call,
    template: JSON,
    node: JSON | None,
    kind: str,
    make: type[DagFrame] | type[StepsFrame],
) -> JSON:
    if template.get("dag") is not None:
        try:
            run.plan(template)
        except UnknownTarget as error:
            _fail(run, call, node, str(error))
            raise CallError(str(error)) from error
    if node is None:
        node = run.create(call, kind, "Running", inputs=inputs_of(template))
    frame = make(run, call, template, node)
    run.frames[node["id"]] = frame
    run.stir(frame)
    return node
