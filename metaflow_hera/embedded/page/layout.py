"""Where the steps of a graph and the arrows between them are, in a picture of it.

A library for layered graphs computes it. It holds Python's lock meanwhile, which takes seconds for hundreds
of branches side by side, so it runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.graph import Step

HEIGHT = 46
LETTER, AROUND = 7.4, 46
"""The width of a letter of a step's name, and of what is beside the name."""
NARROWEST, WIDEST = 104, 264

SECONDS = 60
KEPT = 32

COMMAND = """
import json, sys
import graphlay
request = json.load(sys.stdin)
json.dump(graphlay.layout(request["graph"], preset="process_map", options=request["options"]).raw, sys.stdout)
"""
OPTIONS = {
    "effort": "fast",
    "routing": {"style": "diagonal"},
    "spacing": {"layer_gap": 46.0, "node_gap": 28.0, "dummy_gap": 22.0},
    # These two take minutes where a step has hundreds of arrows.
    "tuning": {"routing": {"port_relax_rounds": 0, "overlap_repair_rounds": 0}},
}


class Layouts:
    """Makes layouts, and keeps those of the graphs that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[Step, ...], bool], JSON] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, steps: tuple[Step, ...], down: bool) -> JSON:
        """The picture of a graph: `down` from top to bottom, else from left to right."""
        key = (steps, down)
        with self._lock:  # two that ask for the same do not both compute it
            if key not in self._kept:
                self._kept[key] = layout(steps, down)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


def layout(steps: Sequence[Step], down: bool) -> JSON:
    """The picture of a graph, in pixels from its upper left corner.

    Of each step its middle `x`, `y` and its size; of each arrow its `points`, from the one step to the
    other. Raises subprocess.SubprocessError if the graph is too large for the library.
    """
    index = {step.name: number for number, step in enumerate(steps)}
    graph = {
        "nodes": [{"size": {"width": _width(step), "height": HEIGHT}, "shape": "box"} for step in steps],
        "edges": [
            {"source": index[step.name], "target": index[target]} for step in steps for target in step.out
        ],
    }
    options = {**OPTIONS, "direction": "topbottom" if down else "leftright"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", COMMAND],
        input=json.dumps({"graph": graph, "options": options}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return _picture(steps, json.loads(done.stdout))


def _width(step: Step) -> float:
    return min(WIDEST, max(NARROWEST, AROUND + LETTER * len(step.name)))


def _picture(steps: Sequence[Step], made: JSON) -> JSON:
    left, top = made["bounds"]["min"]["x"], made["bounds"]["min"]["y"]

    def at(point: JSON) -> list[float]:
        return [round(point["x"] - left, 1), round(point["y"] - top, 1)]

    edges = [(step.name, target) for step in steps for target in step.out]
    return {
        "size": at(made["bounds"]["max"]),
        "steps": [
            {
                "name": step.name,
                "kind": step.kind,
                "foreachs": step.foreachs,
                "parallel": step.parallel,
                "at": at(node["center"]),
                "size": [node["size"]["width"], node["size"]["height"]],
            }
            for step, node in zip(steps, made["nodes"], strict=True)
        ],
        "edges": [
            {"from": source, "to": target, "points": [at(point) for point in edge["points"]]}
            for (source, target), edge in zip(edges, made["edges"], strict=True)
        ],
    }
