"""The result of a DAG whose tasks are over: its phase and its outputs (dag.go of Argo)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from metaflow_hera.embedded.controller.dag_order import Plan
from metaflow_hera.embedded.controller.execution import Execution
from metaflow_hera.embedded.controller.nodes import FULFILLED, UNSUCCESSFUL
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.expressions.language import ExpressionError, compile_expression, format_value
from metaflow_hera.embedded.json_object import JSON


def dag_phase(run: Execution, dag: JSON, plan: Plan, template: JSON, tasks: Mapping[str, JSON]) -> str:
    """The phase of a DAG, "Running" when a target has not been reached (assessDAGPhase)."""
    phases = _target_phases(run, dag, plan)
    fail_fast = template["dag"].get("failFast") is not False
    result = "Succeeded"
    for rank in plan.targets:
        phase = phases.get(rank)
        if phase is None:
            result = "Running"
            if not fail_fast:
                break
        elif phase in UNSUCCESSFUL and not continues(tasks[plan.tasks[rank].name], phase):
            result = phase
            if fail_fast:
                break
    return result


def continues(task: JSON, phase: str) -> bool:
    """Whether a task's `continueOn` ignores its failure (ContinuesOn)."""
    on = task.get("continueOn") or {}
    return bool(on.get("failed") if phase == "Failed" else on.get("error"))


def _target_phases(run: Execution, dag: JSON, plan: Plan) -> dict[int, str]:
    """The phase of each target; one that did not run has that of what led to it, failure first."""
    by_id = run.nodes.by_id
    targets: dict[str, int] = {}
    for rank in plan.targets:
        found = run.nodes.find(f"{dag['name']}.{plan.tasks[rank].name}")
        if found is not None:
            targets[found["id"]] = rank
    phases: dict[int, str] = {}
    queue = [(key, "Succeeded") for key in dag.get("children", ())]
    seen = set(queue)
    for key, branch in queue:
        node = by_id.get(key)
        if node is None or node["phase"] not in FULFILLED:
            return {}
        phase = branch if node["phase"] in ("Skipped", "Omitted") else node["phase"]
        rank = targets.get(key, -1)
        if rank >= 0 and phases.get(rank) not in UNSUCCESSFUL:
            phases[rank] = phase
        children = node.get("children", ())
        if node["type"] == "Retry":
            # The node has the phase of its last attempt: what comes after the attempts counts.
            children = [after for attempt in children for after in by_id[attempt].get("children", ())]
        for child in children:
            if (child, phase) not in seen:
                seen.add((child, phase))
                queue.append((child, phase))
    return phases


def collect_outputs(node: JSON, template: JSON, value_of: Callable[[str], str | None]) -> str | None:
    """Set the outputs of a DAG or of steps that succeeded; returns the reason if one has no value.

    `value_of` gives the value of a tag (getTemplateOutputsFromScope in operator.go).
    """
    declared = (template.get("outputs") or {}).get("parameters")
    if not declared:
        return None
    outputs: list[JSON] = []
    for parameter in declared:
        source = parameter.get("valueFrom") or {}
        tag = (source.get("parameter") or "").removeprefix("{{").removesuffix("}}").strip()
        value, missing = any_string(parameter.get("value")), f'Unable to resolve: "{tag}"'
        if source.get("expression"):
            try:
                value = _evaluate(source["expression"], value_of)
            except ExpressionError as error:
                missing = str(error)
        elif not value:
            value = value_of(tag)
        if value is None:
            value = any_string(source.get("default"))
        if value is None:
            return missing
        outputs.append({**{k: v for k, v in parameter.items() if k != "valueFrom"}, "value": value})
    node["outputs"] = {"parameters": outputs}
    return None


def _evaluate(expression: str, value_of: Callable[[str], str | None]) -> str:
    """The value of an output's `expression` (resolveParameter in scope.go); what is missing is nil."""

    def lookup(path: Sequence[str]) -> str | None:
        return value_of(".".join(path))

    value = compile_expression(expression)(lookup)
    return value if isinstance(value, str) else format_value(value)
