"""Graphs and scopes: what runs when, and where a task's data comes from, all known before a run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from metaflow_hera.errors import FlowError
from metaflow_hera.graph.scopes import Edge, Foreach, Scope, Task, scopes
from metaflow_hera.graph.steps import Graph, Step
from metaflow_hera.graph.tasks import TaskKey, input_tasks, parse_path, split_index


def graph(*lines: str) -> Graph:
    """A graph from lines such as `start foreach work`: a step, its kind, and where it goes."""
    steps = {}
    for line in lines:
        name, kind, *out = line.split()
        steps[name] = Step(name, kind, tuple(out))
    first, *_, last = steps
    return Graph(first, last, steps)


def shown(scope: Scope) -> list[object]:
    """A scope as nested lists: `step<what it waits for`, and [foreach step, *body] for a fan.

    Groups are parted by commas, edges within one by bars; `?` marks a choice.
    """

    def name(member: Task | Foreach) -> str:
        return f"{member.task.step.name}*" if isinstance(member, Foreach) else member.step.name

    def way(edge: Edge) -> str:
        return name(edge.source) + "?" * edge.is_choice

    return [
        [name(member), *shown(member.body)]
        if isinstance(member, Foreach)
        else "<".join([name(member), ",".join("|".join(map(way, group)) for group in member.needs)]).rstrip(
            "<"
        )
        for member in scope.members
    ]


LINEAR = graph("start linear middle", "middle linear end", "end end")
SPLIT = graph("start split a b", "a linear j", "b linear c", "c linear j", "j join end", "end end")
FOREACH = graph("start foreach work", "work linear collect", "collect join end", "end end")
DEEP = graph(
    "start foreach one",
    "one foreach two",
    "two foreach three",
    "three linear join3",
    "join3 join join2",
    "join2 join join1",
    "join1 join end",
    "end end",
)
SPLIT_IN_FOREACH = graph(
    "start foreach fan",
    "fan split a b",
    "a linear pair",
    "b linear pair",
    "pair join collect",
    "collect join end",
    "end end",
)
FOREACH_IN_SPLIT = graph(
    "start split left right",
    "left foreach work",
    "work linear collect",
    "collect join merge",
    "right linear merge",
    "merge join end",
    "end end",
)

SWITCH = graph("start split-switch a m", "a linear m", "m linear end", "end end")
SWITCH_IN_SPLIT = graph(
    "start split left right",
    "left split-switch a b",
    "a linear j",
    "b linear j",
    "right linear j",
    "j join end",
    "end end",
)
SWITCH_IN_FOREACH = graph(
    "start foreach choose",
    "choose split-switch a b",
    "a linear j",
    "b linear j",
    "j join end",
    "end end",
)
SHARED_BODY = graph(
    "start split-switch f g",
    "f foreach x",
    "g foreach x",
    "x linear j",
    "j join end",
    "end end",
)
LOOP_IN_FOREACH = graph(
    "start foreach loop",
    "loop split-switch loop a b",
    "a linear j",
    "b linear j",
    "j join end",
    "end end",
)


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (LINEAR, ["start", "middle<start", "end<middle"]),
        (SPLIT, ["start", "a<start", "b<start", "c<b", "j<a,c", "end<j"]),
        (FOREACH, ["start", ["start*", "work"], "collect<start*", "end<collect"]),
        (
            DEEP,
            [
                "start",
                ["start*", "one", ["one*", "two", ["two*", "three"], "join3<two*"], "join2<one*"],
                "join1<start*",
                "end<join1",
            ],
        ),
        (
            SPLIT_IN_FOREACH,
            ["start", ["start*", "fan", "a<fan", "b<fan", "pair<a,b"], "collect<start*", "end<collect"],
        ),
        (
            FOREACH_IN_SPLIT,
            [
                "start",
                "left<start",
                ["left*", "work"],
                "collect<left*",
                "right<start",
                "merge<collect,right",
                "end<merge",
            ],
        ),
        (SWITCH, ["start", "a<start?", "m<start?|a", "end<m"]),
        (
            SWITCH_IN_SPLIT,
            ["start", "left<start", "a<left?", "b<left?", "right<start", "j<a|b,right", "end<j"],
        ),
        (
            SWITCH_IN_FOREACH,
            ["start", ["start*", "choose", "a<choose?", "b<choose?"], "j<start*", "end<j"],
        ),
        (SHARED_BODY, ["start", "f<start?", ["f*", "x"], "g<start?", ["g*", "x"], "j<f*|g*", "end<j"]),
        (LOOP_IN_FOREACH, ["start", ["start*", "loop", "a<loop?", "b<loop?"], "j<start*", "end<j"]),
    ],
    ids=[
        "linear",
        "split",
        "foreach",
        "deep",
        "split-in-foreach",
        "foreach-in-split",
        "switch",
        "switch-in-split",
        "switch-in-foreach",
        "shared-body",
        "loop-in-foreach",
    ],
)
def test_scopes(flow: Graph, expected: list[object]) -> None:
    assert shown(scopes(flow)) == expected


def test_the_scope_of_a_body_knows_the_foreachs_around_it() -> None:
    scope, paths = scopes(DEEP), []
    while True:
        paths.append(scope.path)
        fans = [member for member in scope.members if isinstance(member, Foreach)]
        if not fans:
            break
        scope = fans[0].body
    assert paths == [(), ("one",), ("one", "two"), ("one", "two", "three")]


def test_two_foreachs_one_after_the_other_do_not_mix() -> None:
    flow = graph(
        "start foreach a",
        "a linear ja",
        "ja join again",
        "again foreach b",
        "b linear jb",
        "jb join end",
        "end end",
    )
    assert shown(scopes(flow)) == [
        "start",
        ["start*", "a"],
        "ja<start*",
        "again<ja",
        ["again*", "b"],
        "jb<again*",
        "end<jb",
    ]


def test_steps_come_after_all_that_lead_to_them_in_whatever_order_they_are_given() -> None:
    steps = dict(reversed(SPLIT.steps.items()))
    order = list(Graph("start", "end", steps).steps)
    for step in SPLIT:
        assert all(order.index(step.name) < order.index(target) for target in step.out)


def test_a_switch_that_chooses_itself_is_a_loop_and_no_obstacle() -> None:
    flow = graph("start linear loop", "loop split-switch loop end", "end end")
    assert [step.name for step in flow] == ["start", "loop", "end"]


def test_joins_know_the_split_that_they_close() -> None:
    def roots(flow: Graph, join: str) -> tuple[str, ...]:
        joined = flow.joined(join)
        assert joined is not None
        return joined.roots

    assert roots(SPLIT, "j") == ("a", "b")
    assert [roots(DEEP, join) for join in ("join3", "join2", "join1")] == [("three",), ("two",), ("one",)]
    assert roots(FOREACH_IN_SPLIT, "merge") == ("left", "right")
    assert roots(FOREACH_IN_SPLIT, "collect") == ("work",)
    assert roots(SHARED_BODY, "j") == ("x",)
    assert SPLIT.joined("end") is None


def test_a_step_that_is_both_inside_and_outside_of_a_foreach_is_refused() -> None:
    with pytest.raises(FlowError, match="x can be reached from inside different"):
        graph("start split-switch f x", "f foreach x", "x linear j", "j join end", "end end")


def test_500_steps_in_a_row() -> None:
    names = ["start", *(f"s{number}" for number in range(498)), "end"]
    lines = [f"{name} linear {following}" for name, following in pairwise(names)]
    flow = graph(*lines, "end end")
    assert len(scopes(flow).members) == 500


def test_100_foreachs_inside_each_other() -> None:
    depth = 100
    steps = [f"f{i} foreach {f'f{i + 1}' if i + 1 < depth else 'work'}" for i in range(depth)]
    joins = [f"j{i} join {f'j{i - 1}' if i else 'end'}" for i in reversed(range(depth))]
    flow = graph(*steps, f"work linear j{depth - 1}", *joins, "end end")
    assert len(flow.bodies_around("work")) == depth
    scopes(flow)


@pytest.mark.parametrize("flow", [LINEAR, SPLIT, DEEP, FOREACH_IN_SPLIT, SHARED_BODY, LOOP_IN_FOREACH])
def test_a_graph_survives_its_way_through_json(flow: Graph) -> None:
    again = Graph.from_json(flow.to_json())
    assert again.to_json() == flow.to_json()
    assert shown(scopes(again)) == shown(scopes(flow))


def test_task_ids_name_the_step_the_path_and_the_turn() -> None:
    assert TaskKey("train").task_id == "train"
    assert TaskKey("train", (0, 3)).task_id == "train-0-3"
    assert TaskKey("refine", (0,), 12).task_id == "refine-0_12"
    assert not TaskKey("s1", (2,)).task_id.isdigit()


def test_a_path_is_read_as_it_is_written() -> None:
    assert parse_path("") == ()
    assert parse_path("-0-12-3") == (0, 12, 3)


def key(text: str) -> TaskKey:
    """A task from text such as `train-0-3` or `refine-0_2`."""
    place, _, turn = text.partition("_")
    step, *path = place.split("-")
    return TaskKey(step, tuple(map(int, path)), int(turn) if turn else None)


class Known:
    """A run in which these tasks have ended: foreachs with so many items, switches with that choice."""

    def __init__(self, **tasks: int | str | None) -> None:
        self.tasks = {key(name.replace("__", "-")): value for name, value in tasks.items()}
        self.asked = False

    def cardinality(self, task: TaskKey) -> int:
        value = self.tasks[task]
        assert isinstance(value, int)
        return value

    def ended(self, tasks: Sequence[TaskKey]) -> Sequence[TaskKey]:
        self.asked = True
        return [task for task in tasks if task in self.tasks]

    def choice(self, task: TaskKey) -> str:
        return str(self.tasks[task])

    def last_iteration(self, loop: TaskKey) -> TaskKey | None:
        turns = [t for t in self.tasks if (t.step, t.path) == (loop.step, loop.path)]
        return max(turns, key=lambda t: t.iteration or 0, default=None)


def inputs(flow: Graph, task: str, run: Known) -> list[str]:
    """The ids of the tasks before a task."""
    return [before.task_id for before in input_tasks(flow, key(task), run)]


@pytest.mark.parametrize(
    ("flow", "task", "expected"),
    [
        (LINEAR, "start", []),
        (LINEAR, "end", ["middle"]),
        (SPLIT, "j", ["a", "c"]),
        (FOREACH, "work-2", ["start"]),
        (DEEP, "two-1-2", ["one-1"]),
        (DEEP, "three-1-2-0", ["two-1-2"]),
        (SPLIT_IN_FOREACH, "pair-4", ["a-4", "b-4"]),
        (FOREACH_IN_SPLIT, "merge", ["collect", "right"]),
        (LOOP_IN_FOREACH, "loop-1_0", ["start"]),
        (LOOP_IN_FOREACH, "loop-1_7", ["loop-1_6"]),
    ],
)
def test_inputs_that_the_graph_alone_tells(flow: Graph, task: str, expected: list[str]) -> None:
    run = Known()
    assert inputs(flow, task, run) == expected
    assert not run.asked


def test_a_join_of_a_foreach_has_an_input_for_each_item() -> None:
    assert inputs(DEEP, "join2-7", Known(one__7=3)) == ["join3-7-0", "join3-7-1", "join3-7-2"]
    assert inputs(FOREACH, "collect", Known(start=0)) == []


def test_after_a_switch_the_inputs_are_those_that_the_run_came_by() -> None:
    assert inputs(SWITCH, "m", Known(start="a", a=None)) == ["a"]
    assert inputs(SWITCH, "m", Known(start="m")) == ["start"]
    assert inputs(SWITCH_IN_SPLIT, "j", Known(left="b", b=None, right=None)) == ["b", "right"]
    run = Known(start=2, choose__0="a", a__0=None, choose__1="b", b__1=None)
    assert inputs(SWITCH_IN_FOREACH, "j", run) == ["a-0", "b-1"]
    assert inputs(SHARED_BODY, "x-1", Known(start="g", g=2)) == ["g"]
    assert inputs(SHARED_BODY, "j", Known(start="g", g=2, x__0=None, x__1=None)) == ["x-0", "x-1"]


def test_after_a_loop_comes_what_its_last_turn_left() -> None:
    run = Known(loop__1_0="loop", loop__1_1="loop", loop__1_2="a")
    assert inputs(LOOP_IN_FOREACH, "a-1", run) == ["loop-1_2"]


@pytest.mark.parametrize(
    ("flow", "task", "index"),
    [
        (LINEAR, "end", None),
        (FOREACH, "work-5", 5),
        (FOREACH, "collect", None),
        (DEEP, "two-1-2", 2),
        (DEEP, "join3-1-2", None),
        (SPLIT_IN_FOREACH, "fan-3", 3),
        (SPLIT_IN_FOREACH, "a-3", None),
        (LOOP_IN_FOREACH, "loop-3_0", 3),
        (LOOP_IN_FOREACH, "loop-3_1", None),
    ],
)
def test_only_the_first_task_in_a_body_has_a_split_index(flow: Graph, task: str, index: int | None) -> None:
    assert split_index(flow, key(task)) == index
