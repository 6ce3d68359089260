"""Graphs and scopes: what runs when, and where a task's data comes from, all known before a run."""

from __future__ import annotations

from itertools import pairwise

import pytest

from metaflow_hera.graph.scopes import Fan, Scope, Task, scopes
from metaflow_hera.graph.steps import Graph, Step
from metaflow_hera.graph.tasks import input_tasks, parse_path, split_index, task_id


def graph(*lines: str) -> Graph:
    """A graph from lines such as `start foreach work`: a step, its kind, and where it goes."""
    steps = {}
    for line in lines:
        name, kind, *out = line.split()
        steps[name] = Step(name, kind, tuple(out))
    first, *_, last = steps
    return Graph(first, last, steps)


def shown(scope: Scope) -> list[object]:
    """A scope as nested lists: `step<what it waits for`, and [foreach step, *body] for a fan."""

    def name(member: Task | Fan) -> str:
        return f"{member.foreach.step.name}*" if isinstance(member, Fan) else member.step.name

    return [
        [name(member), *shown(member.body)]
        if isinstance(member, Fan)
        else "<".join([name(member), ",".join(map(name, member.after))]).rstrip("<")
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
    ],
    ids=["linear", "split", "foreach", "deep", "split-in-foreach", "foreach-in-split"],
)
def test_scopes(flow: Graph, expected: list[object]) -> None:
    assert shown(scopes(flow)) == expected


def test_the_scope_of_a_body_knows_the_foreachs_around_it() -> None:
    scope, paths = scopes(DEEP), []
    while True:
        paths.append(scope.path)
        fans = [member for member in scope.members if isinstance(member, Fan)]
        if not fans:
            break
        scope = fans[0].body
    assert paths == [(), ("start",), ("start", "one"), ("start", "one", "two")]


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
    assert SPLIT.split_of_join("j") == "start"
    assert [DEEP.split_of_join(join) for join in ("join3", "join2", "join1")] == ["two", "one", "start"]
    assert FOREACH_IN_SPLIT.split_of_join("merge") == "start"
    assert FOREACH_IN_SPLIT.split_of_join("collect") == "left"


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
    assert len(flow.foreachs_around("work")) == depth
    scopes(flow)


@pytest.mark.parametrize("flow", [LINEAR, SPLIT, DEEP, FOREACH_IN_SPLIT])
def test_a_graph_survives_its_way_through_json(flow: Graph) -> None:
    again = Graph.from_json(flow.to_json())
    assert again.to_json() == flow.to_json()
    assert shown(scopes(again)) == shown(scopes(flow))


def test_task_ids_name_the_step_and_the_path() -> None:
    assert task_id("train", ()) == "train"
    assert task_id("train", (0, 3)) == "train-0-3"
    assert not task_id("s1", (2,)).isdigit()


def test_a_path_is_read_as_it_is_written() -> None:
    assert parse_path("") == ()
    assert parse_path("-0-12-3") == (0, 12, 3)


def no_cardinality(step: str, path: tuple[int, ...]) -> int:
    """For tasks that need to know of no foreach's items."""
    raise AssertionError(f"asked for the items of {step}{path}")


@pytest.mark.parametrize(
    ("flow", "step", "path", "expected"),
    [
        (LINEAR, "start", (), []),
        (LINEAR, "end", (), [("middle", ())]),
        (SPLIT, "j", (), [("a", ()), ("c", ())]),
        (FOREACH, "work", (2,), [("start", ())]),
        (DEEP, "two", (1, 2), [("one", (1,))]),
        (DEEP, "three", (1, 2, 0), [("two", (1, 2))]),
        (SPLIT_IN_FOREACH, "pair", (4,), [("a", (4,)), ("b", (4,))]),
        (FOREACH_IN_SPLIT, "merge", (), [("collect", ()), ("right", ())]),
    ],
)
def test_inputs_of_a_task(
    flow: Graph, step: str, path: tuple[int, ...], expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert input_tasks(flow, step, path, no_cardinality) == expected


def test_a_join_of_a_foreach_has_an_input_for_each_item() -> None:
    asked = []

    def cardinality(step: str, path: tuple[int, ...]) -> int:
        asked.append((step, path))
        return 3

    assert input_tasks(DEEP, "join2", (7,), cardinality) == [("join3", (7, index)) for index in range(3)]
    assert asked == [("one", (7,))]
    assert input_tasks(FOREACH, "collect", (), lambda *_: 0) == []


@pytest.mark.parametrize(
    ("flow", "step", "path", "index"),
    [
        (LINEAR, "end", (), None),
        (FOREACH, "work", (5,), 5),
        (FOREACH, "collect", (), None),
        (DEEP, "two", (1, 2), 2),
        (DEEP, "join3", (1, 2), None),
        (SPLIT_IN_FOREACH, "fan", (3,), 3),
        (SPLIT_IN_FOREACH, "a", (3,), None),
    ],
)
def test_only_the_first_step_of_a_body_has_a_split_index(
    flow: Graph, step: str, path: tuple[int, ...], index: int | None
) -> None:
    assert split_index(flow, step, path) == index
