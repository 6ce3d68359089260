"""The graph of a flow, as its runs have it: Metaflow's steps, not the nodes that Argo makes of them.

The annotation `metaflow/dag` of a run is a JSON object. Its `steps` gives for each step those it may lead to,
in an order in which each comes after all that lead to it; a loop also leads to itself. `foreach`,
`split-switch`, `join` and `parallel` list the steps that are such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from metaflow_hera.embedded.json_object import JSON, NOT_JSON

OF_FLOW = "metaflow/dag"
"""The annotation of a flow's runs that describes its graph."""

FOREACH, SWITCH, JOIN = "foreach", "split-switch", "join"
MOST = 2_000
"""Steps of a graph that is drawn."""


@dataclass(frozen=True)
class Step:
    """A step of a flow.

    `kind` is foreach, split-switch, join or "" for all others; `foreachs` are the foreach steps around it,
    outermost first: it runs once for each item of the innermost, or, if it is `parallel`, on each node.
    """

    name: str
    kind: str
    out: tuple[str, ...]
    foreachs: tuple[str, ...]
    parallel: bool


def graph_of(annotations: Mapping[str, str]) -> tuple[Step, ...]:
    """The steps of a run's flow, in their order; none if the annotation is not there or no graph."""
    try:
        told = json.loads(annotations.get(OF_FLOW) or "{}")
        steps: dict[str, list[str]] = told.get("steps") or {}
        return tuple(_steps(steps, told)) if len(steps) <= MOST else ()
    except (*NOT_JSON, TypeError, AttributeError, LookupError):
        return ()


def _steps(steps: Mapping[str, list[str]], told: JSON) -> list[Step]:
    kinds = {name: kind for kind in (FOREACH, SWITCH, JOIN) for name in told.get(kind) or ()}
    into: dict[str, str] = {}
    """For each step one that leads to it: whichever it is, the same splits are open before the step."""
    opened: dict[str, list[str]] = {}
    """For each step the splits that are open after it, foreach or not."""
    found: list[Step] = []
    for name, out in steps.items():
        for target in out:
            if target not in steps:
                raise KeyError(target)
            into.setdefault(target, name)
        kind = kinds.get(name, "")
        source = into.get(name, name)
        around = list(opened.get(source, ()))
        if kind == JOIN:
            around.pop()
        opened[name] = [*around, name] if kind == FOREACH or (kind != SWITCH and len(out) > 1) else around
        foreachs = tuple(split for split in around if kinds.get(split) == FOREACH)
        found.append(Step(name, kind, tuple(out), foreachs, name in (told.get("parallel") or ())))
    return found
