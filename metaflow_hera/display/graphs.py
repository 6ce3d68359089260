"""The graph of a run's flow as a small picture, for a notebook: its steps with their states."""

from __future__ import annotations

import copy
from typing import Any

from metaflow_hera.argo.run import Run
from metaflow_hera.display.states import COLOURS, IN_NOTEBOOKS, PALE
from metaflow_hera.display.views import state_of

MOST = 60
"""Steps of a graph that is drawn: one of more is no small picture."""
HEIGHT, LETTER, AROUND = 42.0, 7.0, 24.0
LINE = 8.0
"""How far the two lines of a step are from its middle."""
OPTIONS = {"effort": "fast", "direction": "leftright", "routing": {"style": "diagonal"}}


def graph_svg(run: Run) -> str:
    """The picture as SVG, "" if the run does not tell its graph or has too many steps."""
    steps = run.graph
    if not 1 < len(steps) <= MOST:
        return ""
    import graphlay  # which takes a moment: not for every verb

    told = {step.name: step for step in run.steps}
    words = {name: state_of(told[name]) if name in told else "" for name in steps}
    index = {name: number for number, name in enumerate(steps)}
    graph: dict[str, Any] = {
        "nodes": [
            {
                "size": {"width": AROUND + LETTER * max(len(name), len(words[name])), "height": HEIGHT},
                "shape": "box",
                "key": name,
            }
            for name in steps
        ],
        "edges": [{"source": index[name], "target": index[to]} for name, out in steps.items() for to in out],
    }
    made = graphlay.layout(graph, preset="process_map", options=OPTIONS)
    scene = made.sketch_scene(labels=list(steps), background=None)
    for node, name in zip(scene["nodes"], steps, strict=True):
        colour = COLOURS.get(told[name].phase) if name in told else None
        node["fill"], node["stroke"]["paint"] = "none", IN_NOTEBOOKS.get(colour or "", PALE)
        (label,) = node["content"]
        state = copy.deepcopy(label)
        label.update(dy=-LINE, color="currentColor")
        state.update(dy=LINE, color=PALE, text=words[name], weight=400.0, size=11.0, wrap=None)
        node["content"].append(state)
    for edge in scene["edges"]:
        edge["stroke"]["paint"] = PALE
    drawn: str = graphlay.render_scene(scene)
    return drawn.partition("?>")[2].strip()
