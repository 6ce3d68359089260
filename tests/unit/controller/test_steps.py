"""Steps and scripts, as steps.go and operator.go of Argo have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.controller.ids import node_id
from metaflow_hera.embedded.controller.manual import retry
from metaflow_hera.embedded.controller.messages import CreatePod, Resume, Shutdown, Suspend
from metaflow_hera.embedded.rules.validation import Invalid, validate_workflow

from .test_parity import named, output
from .test_rules import POD, most_at_once, phases, start, task
from .world import World, workflow_of

__all__ = ["start"]

JSON = dict[str, Any]
SAY: JSON = {
    "name": "say",
    "inputs": {"parameters": [{"name": "text", "value": "hello"}]},
    "script": {"image": "x", "command": ["sh"], "source": "echo '{{inputs.parameters.text}}'"},
}


def spec(
    *groups: list[JSON], main: JSON | None = None, templates: tuple[JSON, ...] = (), **rest: Any
) -> JSON:
    steps = {"name": "main", **(main or {}), "steps": list(groups)}
    return {"entrypoint": "main", "templates": [POD, SAY, *templates, steps], **rest}


def say(name: str, text: str, **rest: Any) -> JSON:
    arguments = {"parameters": [{"name": "text", "value": text}]}
    return {"name": name, "template": "say", "arguments": arguments, **rest}


def names(world: World, keys: list[str]) -> list[str]:
    return [world.workflow["status"]["nodes"][key]["name"] for key in keys]


def test_groups_run_one_after_the_other(start: Any) -> None:
    world = start(spec([task("a"), task("b")], [task("c")]))
    assert set(phases(world)) == {"wf", "[0]", "a", "b"}
    world.run()
    found = named(world)
    assert {name: (node["type"], node["phase"], node["displayName"]) for name, node in found.items()} == {
        "wf": ("Steps", "Succeeded", "wf"),
        "wf[0]": ("StepGroup", "Succeeded", "[0]"),
        "wf[0].a": ("Pod", "Succeeded", "a"),
        "wf[0].b": ("Pod", "Succeeded", "b"),
        "wf[1]": ("StepGroup", "Succeeded", "[1]"),
        "wf[1].c": ("Pod", "Succeeded", "c"),
    }
    assert {node.get("boundaryID") for name, node in found.items() if name != "wf"} == {"wf"}
    assert "templateName" not in found["wf[0]"]
    assert names(world, found["wf"]["children"]) == ["wf[0]"]
    assert names(world, found["wf[0]"]["children"]) == ["wf[0].a", "wf[0].b"]
    assert (
        names(world, found["wf[0].a"]["children"]) == names(world, found["wf[0].b"]["children"]) == ["wf[1]"]
    )
    assert names(world, found["wf"]["outboundNodes"]) == ["wf[1].c"]
    assert found["wf"]["progress"] == found["wf[0]"]["progress"] == "3/3"


def test_results_go_from_step_to_step(start: Any) -> None:
    out = {"parameters": [{"name": "last", "valueFrom": {"parameter": "{{steps.b.outputs.result}}"}}]}
    groups = (
        [say("a", "one two")],
        [say("b", "{{steps.a.outputs.result}} {{steps.a.status}}")],
        [say("c", "x")],
    )
    world = start(spec(*groups, main={"outputs": out}))
    world.run()
    found = named(world)
    assert found["wf[0].a"]["outputs"] == {"result": "one two", "exitCode": "0"}
    assert found["wf[1].b"]["outputs"]["result"] == "one two Succeeded"
    assert "result" not in found["wf[2].c"]["outputs"]
    assert found["wf"]["outputs"] == {"parameters": [{"name": "last", "value": "one two Succeeded"}]}


def test_a_step_that_fails_ends_all(start: Any) -> None:
    world = start(spec([task("a", "exit 1"), task("b", "sleep 5")], [task("c")]))
    world.run()
    found = named(world)
    message = f"child '{node_id('wf', 'wf[0].a')}' failed"
    assert (found["wf[0]"]["phase"], found["wf[0]"]["message"]) == ("Failed", message)
    assert (found["wf"]["phase"], found["wf"]["message"]) == ("Failed", message)
    assert found["wf[0].b"]["phase"] == "Succeeded"
    assert world.workflow["status"]["message"] == message
    assert "wf[1]" not in found


def test_continue_on(start: Any) -> None:
    world = start(spec([task("a", "exit 1", continueOn={"failed": True})], [say("b", "{{steps.a.status}}")]))
    world.run()
    assert phases(world) == {
        "wf": "Succeeded",
        "[0]": "Succeeded",
        "a": "Failed",
        "[1]": "Succeeded",
        "b": "Succeeded",
    }


def test_when(start: Any) -> None:
    world = start(
        spec(
            [say("flip", "heads")],
            [
                task("h", when="{{steps.flip.outputs.result}} == heads"),
                task("t", when="{{steps.flip.outputs.result}} == tails"),
            ],
        )
    )
    world.run()
    assert named(world)["wf[1].t"]["message"] == "when 'heads == tails' evaluated false"
    assert phases(world)["h"] == "Succeeded"
    assert world.workflow["status"]["phase"] == "Succeeded"


def test_a_condition_that_cannot_be_read(start: Any) -> None:
    world = start(spec([task("a", when="{{workflow.name}} ==")]))
    world.run()
    message = "Failed to resolve references: Invalid 'when' expression 'wf ==': Unexpected end of expression"
    assert named(world)["wf[0]"]["message"] == message
    assert (named(world)["wf"]["phase"], named(world)["wf"]["message"]) == ("Failed", message)


def test_fans(start: Any) -> None:
    fan = say("f", "{{item}}", withItems=[1, "two", {"k": 3}])
    items = say("g", "{{item}}", withParam="{{steps.f.outputs.result}}")
    empty = say("e", "{{item}}", withParam="[]")
    world = start(spec([fan], [items, empty, say("s", "{{item}}", withSequence={"count": "2"})]))
    world.run()
    found = phases(world)
    assert {"f(0:1)", "f(1:two)", "f(2:k:3)", "g(0:1)", "g(1:two)", "g(2:k:3)", "s(0:0)", "s(1:1)"} < set(
        found
    )
    assert named(world)["wf[1].e"]["message"] == "Skipped, empty params"
    assert world.workflow["status"]["phase"] == "Succeeded"


def test_a_list_that_is_none(start: Any) -> None:
    world = start(spec([say("a", "no")], [say("f", "{{item}}", withParam="{{steps.a.outputs.result}}")]))
    world.run()
    assert named(world)["wf[1]"]["phase"] == "Error"
    assert named(world)["wf"]["message"].startswith("withParam value could not be parsed as a JSON list: no:")


def test_parallelism(start: Any) -> None:
    world = start(spec([task("f", withParam="[1,2,3,4,5]")], [task("g")], main={"parallelism": 2}))
    assert most_at_once(world) == 2
    assert world.workflow["status"]["progress"] == "6/6"


def test_nested_and_with_retries(start: Any) -> None:
    flaky = {
        **POD,
        "name": "flaky",
        "inputs": {},
        "retryStrategy": {"limit": 2},
        "container": {"image": "x", "command": ["sh", "-c"], "args": ["test {{retries}} = 1"]},
    }
    inner = {"name": "inner", "steps": [[{"name": "x", "template": "flaky"}], [task("y")]]}
    dag = {"name": "dag", "dag": {"tasks": [{"name": "d", "template": "inner"}, task("e", depends="d")]}}
    world = start(spec([{"name": "n", "template": "dag"}], [task("z")], templates=(flaky, inner, dag)))
    world.run()
    found = named(world)
    assert world.workflow["status"]["phase"] == "Succeeded"
    assert found["wf[0].n.d[0].x"]["type"] == "Retry"
    assert names(world, found["wf[0].n.d[0].x(1)"]["children"]) == ["wf[0].n.d[1]"]
    assert names(world, found["wf[0].n.d[1].y"]["children"]) == ["wf[0].n.e"]
    assert names(world, found["wf[0].n.e"]["children"]) == ["wf[1]"]


def test_recursion(start: Any) -> None:
    count = {
        "name": "count",
        "inputs": {"parameters": [{"name": "n"}]},
        "steps": [
            [say("next", "{{=asInt(inputs.parameters.n) - 1}}")],
            [
                {
                    "name": "again",
                    "template": "count",
                    "when": "{{steps.next.outputs.result}} > 0",
                    "arguments": {"parameters": [{"name": "n", "value": "{{steps.next.outputs.result}}"}]},
                }
            ],
        ],
    }
    call = {"name": "c", "template": "count", "arguments": {"parameters": [{"name": "n", "value": "3"}]}}
    world = start(spec([call], templates=(count,)))
    world.run()
    assert named(world)["wf[0].c[1].again[1].again[1].again"]["phase"] == "Skipped"
    assert world.workflow["status"]["phase"] == "Succeeded"


def test_stop_and_suspend(start: Any) -> None:
    world = start(spec([task("a", "sleep 5")], [task("b", "sleep 5")], [task("c")]))
    world.advance(Suspend())
    world.run()
    assert "b" not in phases(world)
    world.advance(Resume())
    world.run(lambda: phases(world).get("b") == "Running")
    world.advance(Shutdown("Stop"))
    world.run()
    found = phases(world)
    assert (found["a"], found["b"], found["[1]"], found["wf"]) == ("Succeeded", "Failed", "Failed", "Failed")
    assert world.workflow["status"]["message"] == "Stopped with strategy 'Stop'"
    assert "c" not in found


def test_manual_retry(tmp_path: Path) -> None:
    given = spec([task("a")], [task("b", "test {{workflow.parameters.ok}} = yes"), task("b2")], [task("c")])
    given["arguments"] = {"parameters": [{"name": "ok", "value": "no"}]}
    world = World(workflow_of("wf", given), tmp_path / "one")
    world.advance()
    world.run()
    assert world.workflow["status"]["phase"] == "Failed"
    kept = retry(world.workflow, [], world.now)["status"]["nodes"].values()
    assert {n["name"]: n["phase"] for n in kept} == {
        "wf": "Running",
        "wf[0]": "Succeeded",
        "wf[0].a": "Succeeded",
        "wf[1]": "Running",
        "wf[1].b2": "Succeeded",
    }
    again = World(retry(world.workflow, ["ok=yes"], world.now), tmp_path / "two")
    created = [action.node_id for action in again.advance().actions if isinstance(action, CreatePod)]
    assert names(again, created) == ["wf[1].b", "wf[1].b2"]
    again.run()
    assert again.workflow["status"]["phase"] == "Succeeded"


def test_results_in_dags(start: Any) -> None:
    tasks = [
        say("a", "[1,2]"),
        say("f", "{{item}}", withParam="{{tasks.a.outputs.result}}", depends="a"),
        say("j", "{{tasks.f.outputs.result}} {{=tasks.a.outputs.result}} j", depends="f"),
        task("o", "printf %s '{{tasks.j.outputs.result}}' > /tmp/out", depends="j"),
    ]
    given = spec([task("x")])
    given["templates"][-1] = {"name": "main", "dag": {"tasks": tasks}}
    world = start(given)
    world.run()
    assert output(named(world)["wf.o"]) == "[1,2] [1,2] j"


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[{"template": "pod"}]], "templates.main.steps[0].name is required"),
        ([[task("a")], [task("a")]], "templates.main.steps[1].name 'a' is not unique"),
        (
            [[task("a", "{{steps.b.id}}")], [task("b")]],
            "templates.main.steps failed to resolve {{steps.b.id}}",
        ),
        ([[{"name": "a", "template": "no"}]], "templates.main.steps[0].a template name 'no' undefined"),
        (
            [[task("a", onExit="pod")]],
            "templates.main.steps[0][0].onExit is not implemented by the embedded Argo",
        ),
        (
            [[task("a", withItems=[1], withParam="[]")]],
            "templates.main.steps[0].a only one of withItems, withParam, withSequence can be specified",
        ),
    ],
)  # fmt: skip
def test_steps_that_are_refused(groups: list[list[JSON]], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate_workflow({"metadata": {"name": "x"}, "spec": spec(*groups)})
    assert str(caught.value) == message


def test_steps_that_are_accepted() -> None:
    groups = [say("a", "x")], [say("b", "{{steps.a.outputs.result}} {{steps.a.status}} {{steps.name}}")]
    validate_workflow({"metadata": {"name": "x"}, "spec": spec(*groups)})


@pytest.mark.parametrize("side", ["heads", "tails"])
def test_an_output_by_an_expression(side: str, start: Any) -> None:
    choice = (
        "steps['flip-it'].outputs.result == 'heads' ? steps.heads.outputs.result : steps.tails.outputs.result"
    )
    outputs = {"parameters": [{"name": "side", "valueFrom": {"expression": choice}}]}
    both = [
        say(each, f"it was {each}", when=f"{{{{steps.flip-it.outputs.result}}}} == {each}")
        for each in ("heads", "tails")
    ]
    world = start(spec([say("flip-it", side)], both, main={"outputs": outputs}))
    world.run()
    assert output(named(world)["wf"]) == f"it was {side}"
