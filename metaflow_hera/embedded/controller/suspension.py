"""Suspend templates: nodes that wait for a person or for a time, and the outputs that a person may supply."""

from __future__ import annotations

from typing import Any

from metaflow_hera.embedded.controller.execution import Call, CallError, Execution, PodEntry, inputs_of
from metaflow_hera.embedded.controller.retries import parse_duration
from metaflow_hera.embedded.errors import Refused
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds


class NotSupplied(Refused):
    """An output that is to be supplied was not, and has no default; the message is Argo's."""


def suspend(run: Execution, call: Call, template: JSON, node: JSON | None) -> JSON:
    """Create the node of a suspend template, or continue to wait (executeSuspend in operator.go)."""
    if node is None:
        node = create_suspend(run, call, template, "Running")
    elif node["phase"] == "Pending":  # it had to wait for a lock
        run.nodes.mark(node, "Running")
    key: str = node["id"]
    run.suspended[key] = PodEntry(call.owner, call.key, on_exit=call.on_exit)
    duration: Any = template["suspend"].get("duration")
    if duration:
        try:
            wait = parse_duration(str(duration))
        except ValueError as error:
            del run.suspended[key]
            run.nodes.mark(node, "Error", str(error))
            raise CallError(str(error)) from error
        run.at(seconds(node["startedAt"]) + wait, lambda: _time_is_over(run, call, key))
    return node


def create_suspend(run: Execution, call: Call, template: JSON, phase: str) -> JSON:
    """Create the node of a suspend template, with the outputs that a person may supply."""
    node = run.create(call, "Suspend", phase, inputs=inputs_of(template))
    if supplied := _supplied(template):
        node["outputs"] = {"parameters": supplied}
    return node


def resume_node(run: Execution, key: str) -> None:
    """Resume a suspended node; its outputs have their defaults, or the node is an Error."""
    entry = run.suspended.pop(key, None)
    if entry is None:
        return
    node = run.nodes.by_id[key]
    try:
        outputs = settled_outputs(node)
    except NotSupplied as error:
        run.nodes.mark(node, "Error", str(error))
    else:
        if outputs is not None:
            node["outputs"] = outputs
        run.nodes.mark(node, "Succeeded")
    run.tell(entry.owner, entry.key, node)


def settled_outputs(node: JSON) -> JSON | None:
    """The outputs of a suspended node when it goes on (OverrideOutputParametersWithDefault).

    Raises NotSupplied for one that has no default.
    """
    outputs: JSON | None = node.get("outputs")
    if outputs is None:
        return None
    settled = []
    for parameter in outputs.get("parameters") or ():
        source = parameter.get("valueFrom") or {}
        if source.get("supplied") is None:
            settled.append(parameter)
            continue
        if source.get("default") is None:
            raise NotSupplied(
                f"raw output parameter '{parameter['name']}' has not been set and does not have a default "
                "value"
            )
        plain = {key: value for key, value in parameter.items() if key != "valueFrom"}
        settled.append({**plain, "value": source["default"]})
    return {**outputs, "parameters": settled}


def _time_is_over(run: Execution, call: Call, key: str) -> None:
    resume_node(run, key)
    node = run.nodes.by_id[key]
    if node["phase"] == "Error":
        run.nodes.mark(node, "Error", call.complaint(node["message"]))


def _supplied(template: JSON) -> list[JSON]:
    """The outputs that a person may supply; an input of the same name lends its default."""
    inputs = {each["name"]: each for each in (template.get("inputs") or {}).get("parameters") or ()}
    found: list[JSON] = []
    for parameter in (template.get("outputs") or {}).get("parameters") or ():
        source = parameter.get("valueFrom") or {}
        if source.get("supplied") is None:
            continue
        default = source.get("default")
        if default is None:
            default = inputs.get(parameter["name"], {}).get("default")
        given = {} if default is None else {"default": default}
        found.append({**parameter, "valueFrom": {**source, **given}})
    return found
