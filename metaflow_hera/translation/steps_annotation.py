"""The flow's own graph as an annotation: a run's templates show neither loops nor what kind a step is of."""

from __future__ import annotations

import json

from metaflow_hera.graph.steps import FOREACH, JOIN, SWITCH, Graph

KINDS = (FOREACH, SWITCH, JOIN)


def steps_annotation(graph: Graph) -> str:
    """The graph as a JSON object, short, since each run has it.

    `steps` gives for each step those it may lead to, in an order in which each comes after all that lead to
    it; a loop also leads to itself. `foreach`, `split-switch`, `join` and `parallel` list the steps that are
    such, where there are any.
    """
    lists = {kind: [step.name for step in graph if step.kind == kind] for kind in KINDS}
    lists["parallel"] = [step.name for step in graph if step.parallel]
    found = {"steps": {step.name: step.out for step in graph}}
    return json.dumps(
        {**found, **{kind: names for kind, names in lists.items() if names}}, separators=(",", ":")
    )
