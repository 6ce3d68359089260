"""The graph of a flow in the page: what its runs tell of it, and where its steps are in the picture."""

from __future__ import annotations

import json
from itertools import combinations, pairwise

import pytest

from metaflow_hera.contract.manifest import CHOICE, GRAPH, ITERATIONS
from metaflow_hera.embedded.page import graph, outline
from metaflow_hera.embedded.page.graph import Step, graph_of
from metaflow_hera.embedded.page.layout import Busy, Layouts, layout
from metaflow_hera.graph.steps import FOREACH, JOIN, SPLIT, SWITCH, Graph
from metaflow_hera.graph.steps import Step as FlowStep
from metaflow_hera.translation.steps_annotation import steps_annotation

NESTED = [
    FlowStep("start", SWITCH, ("outer", "nothing")),
    FlowStep("outer", FOREACH, ("middle",)),
    FlowStep("middle", FOREACH, ("inner",)),
    FlowStep("inner", SPLIT, ("left", "right")),
    FlowStep("left", "linear", ("both",)),
    FlowStep("right", "linear", ("both",)),
    FlowStep("both", JOIN, ("middles",)),
    FlowStep("middles", JOIN, ("outers",)),
    FlowStep("outers", JOIN, ("refine",)),
    FlowStep("refine", SWITCH, ("refine", "spread")),
    FlowStep("spread", FOREACH, ("train",)),
    FlowStep("train", "linear", ("gathered",), parallel=True),
    FlowStep("gathered", JOIN, ("end",)),
    FlowStep("nothing", "linear", ("end",)),
    FlowStep("end", "end", ()),
]


def told(steps: list[FlowStep]) -> tuple[Step, ...]:
    """The graph as the page reads it from a run."""
    flow = Graph("start", "end", {step.name: step for step in steps})
    return graph_of({GRAPH: steps_annotation(flow)})


def test_names_are_those_of_the_manifest() -> None:
    assert graph.OF_FLOW == GRAPH
    assert (graph.FOREACH, graph.SWITCH, graph.JOIN) == (FOREACH, SWITCH, JOIN)
    assert (outline.CHOICE, outline.ITERATIONS) == (CHOICE, ITERATIONS)


def test_a_run_tells_its_steps_their_kinds_and_the_foreachs_around_them() -> None:
    steps = {step.name: step for step in told(NESTED)}
    assert {name: step.foreachs for name, step in steps.items() if step.foreachs} == {
        "middle": ("outer",),
        "inner": ("outer", "middle"),
        "left": ("outer", "middle"),
        "right": ("outer", "middle"),
        "both": ("outer", "middle"),
        "middles": ("outer",),
        "train": ("spread",),
    }
    assert [name for name, step in steps.items() if step.kind == SWITCH] == ["start", "refine"]
    assert [name for name, step in steps.items() if step.parallel] == ["train"]
    assert steps["refine"].out == ("refine", "spread")


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        "null",
        "[]",
        "{",
        "[" * 100_000,
        '{"graph_structure":["start",[["a"],["b"]],"end"]}',
        '{"steps":["start"]}',
        '{"steps":{"start":["gone"]}}',
        '{"steps":{"start":1}}',
        '{"steps":{"start":[]},"join":["start"]}',
        json.dumps({"steps": {f"step_{number}": [] for number in range(graph.MOST + 1)}}),
    ],
)
def test_a_run_without_a_graph_has_none(note: str | None) -> None:
    assert graph_of({} if note is None else {GRAPH: note}) == ()


def wide(branches: int) -> list[FlowStep]:
    names = [f"branch_{number}" for number in range(branches)]
    return [
        FlowStep("start", SPLIT, tuple(names)),
        *(FlowStep(name, "linear", ("join",)) for name in names),
        FlowStep("join", JOIN, ("end",)),
        FlowStep("end", "end", ()),
    ]


def row(length: int) -> list[FlowStep]:
    names = ["start", *(f"step_{number}" for number in range(length)), "end"]
    return [FlowStep(name, "linear", (after,)) for name, after in pairwise(names)] + [
        FlowStep("end", "end", ())
    ]


@pytest.mark.parametrize("steps", [NESTED, wide(30), row(50)], ids=["nested", "wide", "row"])
def test_a_picture_has_each_step_in_its_place_and_each_arrow_between_two(steps: list[FlowStep]) -> None:
    read = told(steps)
    picture = layout(read)
    assert layout(read) == picture  # the same each time
    boxes = {each["name"]: box(each) for each in picture["steps"]}
    assert list(boxes) == [step.name for step in read]
    width, height = picture["size"]
    for left, top, right, bottom in boxes.values():
        assert (left >= 0, top >= 0, right <= width, bottom <= height) == (True, True, True, True)
    for (one, first), (other, second) in combinations(boxes.items(), 2):
        apart = first[2] < second[0] or second[2] < first[0] or first[3] < second[1] or second[3] < first[1]
        assert apart, (one, other)
    ways = [(step.name, target) for step in read for target in step.out]
    assert [(edge["from"], edge["to"]) for edge in picture["edges"]] == ways
    for edge in picture["edges"]:
        assert touches(edge["points"][0], boxes[edge["from"]]), edge
        assert touches(edge["points"][-1], boxes[edge["to"]]), edge


def test_a_long_flow_goes_down_and_a_broad_one_across() -> None:
    down, across = layout(told(row(10))), layout(told(wide(10)))
    assert len({step["at"][0] for step in down["steps"]}) == 1
    branches = [step["at"] for step in across["steps"] if step["name"].startswith("branch")]
    assert len({x for x, _ in branches}) == 1
    assert len({y for _, y in branches}) == 10


def test_a_picture_is_made_once() -> None:
    layouts = Layouts()
    assert layouts.of(told(row(3))) is layouts.of(told(row(3)))


def test_a_graph_that_is_too_large_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metaflow_hera.embedded.page.layout.SECONDS", 0)
    layouts = Layouts()
    assert layouts.of(told(row(3))) is None
    monkeypatch.undo()
    assert layouts.of(told(row(3))) is None
    assert layouts.of(told(row(4))) is not None


def test_few_wait_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metaflow_hera.embedded.page.layout.ASKING", 0)
    with pytest.raises(Busy):
        Layouts().of(told(row(3)))


def box(step: dict[str, list[float]]) -> tuple[float, float, float, float]:
    (x, y), (width, height) = step["at"], step["size"]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def touches(point: list[float], around: tuple[float, float, float, float]) -> bool:
    """Whether a point is on the border of a box, to the tenth of a pixel that numbers are rounded to."""
    (x, y), (left, top, right, bottom) = point, around
    within = left - 0.2 <= x <= right + 0.2 and top - 0.2 <= y <= bottom + 0.2
    return within and min(x - left, right - x, y - top, bottom - y) < 0.2
