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
from metaflow_hera.embedded.controller.lock_table import Refusal
from metaflow_hera.embedded.controller.mutexes import BadLock, Locks, locks_without, waits_for
from metaflow_hera.embedded.controller.nodes import fulfilled
from metaflow_hera.embedded.controller.parameters import fill, supply
from metaflow_hera.embedded.controller.pods import start_pod, watch_pod
from metaflow_hera.embedded.controller.retries import RetryFrame
from metaflow_hera.embedded.controller.steps import StepsFrame
from metaflow_hera.embedded.controller.suspension import create_suspend, suspend
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.expressions.variables import SubstitutionError, substitute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import pod_container


def execute(run: Execution, call: Call) -> JSON | None:
    """Start a template, or continue with the node that is there already.

    Returns the node, which may be fulfilled already or wait for a lock, or None when a limit says to wait.
    Raises CallError; the node is then marked, except for what the caller adds to its message.
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
    if template.get("synchronization") is None:
        return _start(run, call, template, node)
    return _start_with_locks(run, call, template, node)


def _start(run: Execution, call: Call, template: JSON, node: JSON | None, waited: bool = False) -> JSON:
    strategy = _retry_strategy(run, template)
    if strategy is not None:
        return RetryFrame.start(run, call, template, strategy, node)
    return launch(run, call, template, node, waited)


def _start_with_locks(run: Execution, call: Call, template: JSON, node: JSON | None) -> JSON:
    """Start a template once it has all of its locks; until then its node waits for them."""
    mutexes = run.mutexes
    try:
        locks = mutexes.names(template["synchronization"])
    except BadLock as error:
        _fail(run, call, node, str(error))
        raise CallError(str(error)) from error
    waited = node is not None and bool(waits_for(node))
    if node is not None and waited and (run.held or run.is_full()):
        refusal: Refusal | None = mutexes.stay(node, locks)
    else:
        refusal = mutexes.acquire(run.nodes.id_of(call.name), locks, _kept(run, call, locks))
    if refusal is not None:
        if node is None:
            node = _create_waiting(run, call, template)
        mutexes.add(node, call, locks, refusal)
        return node
    if node is not None and waited:
        run.nodes.wait(node, "", "")
    try:
        node = _start(run, call, template, node, waited)
    except CallError:
        mutexes.release(run.nodes.by_id[run.nodes.id_of(call.name)], whole=True)
        raise
    if fulfilled(node):
        mutexes.release(node, whole=True)
    return node


def _create_waiting(run: Execution, call: Call, template: JSON) -> JSON:
    """The node of a call that has to wait; a DAG, steps or a retry stay Pending until they are over."""
    kind = "Pod"
    if template.get("retryStrategy") is not None:
        kind = "Retry"
    elif template.get("suspend") is not None:
        return create_suspend(run, call, template, "Pending")
    elif template.get("dag") is not None:
        kind = "DAG"
    elif template.get("steps") is not None:
        kind = "Steps"
    return run.create(call, kind, "Pending", inputs=inputs_of(template))


def _kept(run: Execution, call: Call, locks: Locks) -> frozenset[str]:
    """The locks that go back at the workflow's end only.

    When a task without items is over, Argo reads the names of its locks again, from its arguments as they are
    written (executeDAGTask): a name that comes from another task is then another lock, which nobody has.
    """
    template = run.template(call.template)
    if call.written is None or template is None:
        return frozenset()
    if template.get("retryStrategy") is not None or template.get("steps") is not None:
        return frozenset()  # Argo sees their end in the same look, with the names as they were
    inputs = {
        p["name"]: call.written.get(p["name"], any_string(p.get("value", p.get("default"))))
        for p in (template.get("inputs") or {}).get("parameters") or ()
    }
    values = {f"inputs.parameters.{name}": value for name, value in inputs.items()}
    written = substitute(template["synchronization"], lambda tag: values.get(tag, run.globals.resolve(tag)))
    return locks_without(run.mutexes.names, written, locks)


def launch(run: Execution, call: Call, template: JSON, node: JSON | None, waited: bool = False) -> JSON:
    """Start a filled template, regardless of its retries; `waited` says that its node has not begun."""
    if template.get("dag") is not None:
        return _launch_group(run, call, template, node, "DAG", DagFrame)
    if template.get("steps") is not None:
        return _launch_group(run, call, template, node, "Steps", StepsFrame)
    if template.get("suspend") is not None:
        return suspend(run, call, template, node)
    if node is not None and not waited:
        watch_pod(run, call, template, node)
        return node
    return start_pod(run, call, template, node)


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
