"""Where the steps of a graph and the arrows between them are, in a picture of it.

A library for layered graphs computes it. It holds Python's lock meanwhile, which takes seconds for hundreds
of branches side by side, so it runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.graph import FOREACH, Step

HEIGHT = 46
LETTER, SMALL, AROUND = 7.6, 6.3, 44
"""The widths of a letter of a step's name, of a letter below it, and of what is beside both."""
STATE, NUMBERS, BADGE = 11, 20, 10
"""How many letters there may be below a name: a state, numbers of tasks (99/1,000 · 3 failed), a badge."""
GAP = {"layer_gap": 42.0, "node_gap": 26.0, "dummy_gap": 22.0}

SECONDS = 60
"""A graph for which the library needs longer is not drawn."""
KEPT = 32
ASKING = 4
"""How many may wait for a picture: they hold threads that others need."""

COMMAND = f"""
import json, signal, sys
signal.alarm({SECONDS})
sys.path = sys.argv[1:]
import graphlay
request = json.load(sys.stdin)
json.dump(graphlay.layout(request["graph"], preset="process_map", options=request["options"]).raw, sys.stdout)
"""
"""It finds the library where the server would, and ends by itself should the server not be there any more."""
OPTIONS = {
    "effort": "fast",
    "routing": {"style": "diagonal"},
    "spacing": GAP,
    # These two take minutes where a step has hundreds of arrows.
    "tuning": {"routing": {"port_relax_rounds": 0, "overlap_repair_rounds": 0}},
}


class Busy(Exception):
    """Too many wait for pictures."""


class Layouts:
    """Makes pictures, one at a time, and keeps some: all runs of a version have the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Step, ...], JSON | None] = {}
        self._asking = threading.Semaphore(ASKING)
        self._making = threading.Lock()

    def of(self, steps: tuple[Step, ...]) -> JSON | None:
        """The picture of a graph, as `layout` makes it; None if the graph is too large. Raises Busy."""
        if steps not in self._kept:
            if not self._asking.acquire(blocking=False):
                raise Busy
            try:
                with self._making:
                    if steps not in self._kept:
                        return self._make(steps)
            finally:
                self._asking.release()
        return self._kept.get(steps)

    def _make(self, steps: tuple[Step, ...]) -> JSON | None:
        try:
            made = layout(steps)
        except subprocess.SubprocessError:  # it would be the same again
            made = None
        if len(self._kept) >= KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[steps] = made
        return made


def layout(steps: Sequence[Step]) -> JSON:
    """The picture of a graph, in pixels from its upper left corner.

    Of each step its middle `at` and its `size`; of each arrow its `points`, from the one step to the other.
    Raises subprocess.SubprocessError if the graph is too large for the library.
    """
    index = {step.name: number for number, step in enumerate(steps)}
    graph = {
        "nodes": [{"size": {"width": _width(step), "height": HEIGHT}, "shape": "box"} for step in steps],
        "edges": [
            {"source": index[step.name], "target": index[target]} for step in steps for target in step.out
        ],
    }
    options = {**OPTIONS, "direction": "topbottom" if _is_long(steps) else "leftright"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", COMMAND, *filter(None, sys.path)],
        input=json.dumps({"graph": graph, "options": options}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return _picture(steps, json.loads(done.stdout))


def _width(step: Step) -> float:
    below = (NUMBERS if step.foreachs else STATE) + (BADGE if _has_badge(step) else 0)
    return round(AROUND + max(LETTER * len(step.name), SMALL * below))


def _has_badge(step: Step) -> bool:
    return step.parallel or step.kind == FOREACH or step.name in step.out


def _is_long(steps: Sequence[Step]) -> bool:
    """Whether the picture is smaller with the steps from top to bottom than from left to right."""
    layers: dict[str, int] = {}
    for step in steps:
        layer = layers.setdefault(step.name, 0)
        layers.update(
            {target: max(layers.get(target, 0), layer + 1) for target in step.out if target != step.name}
        )
    length, breadth = max(layers.values()) + 1, max(Counter(layers.values()).values())
    width = max(map(_width, steps))
    down = max(length * (HEIGHT + GAP["layer_gap"]), breadth * (width + GAP["node_gap"]))
    across = max(length * (width + GAP["layer_gap"]), breadth * (HEIGHT + GAP["node_gap"]))
    return down <= across


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
