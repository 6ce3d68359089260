"""Where Argo's source says more than the recordings do; each test names the function it follows."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.controller import Operation
from metaflow_hera.embedded.controller.manual import retry
from metaflow_hera.embedded.controller.messages import (
    CreatePod,
    PodEnded,
    PodProgress,
    Resume,
    Shutdown,
    Suspend,
)

from .test_rules import POD, phases, spec, start, task
from .world import START, World, workflow_of

__all__ = ["start"]

JSON = dict[str, Any]


def named(world: World) -> dict[str, JSON]:
    return {node["name"]: node for node in world.workflow["status"]["nodes"].values()}


def output(node: JSON) -> Any:
    return node["outputs"]["parameters"][0]["value"]


def ended(given: JSON, folder: Path) -> World:
    world = World(workflow_of("wf", given), folder)
    world.advance()
    world.run()
    return world


# FormulateRetryWorkflow (workflow/util/util.go).

FAN = task("f", "test {{item}} != 1 -o {{workflow.parameters.ok}} = yes", withParam="[0,1,2]")
OK = {"parameters": [{"name": "ok", "value": "no"}]}


@pytest.mark.parametrize(("given", "left"), [([], ["f(0:0)", "f(2:2)"]), (["ok=yes"], [])])
def test_a_retried_fan_keeps_what_succeeded_unless_parameters_change(
    given: list[str], left: list[str], tmp_path: Path
) -> None:
    world = ended(spec(FAN, arguments=OK), tmp_path)
    nodes = retry(world.workflow, given, world.now)["status"]["nodes"].values()
    assert sorted(node["displayName"] for node in nodes if node["type"] == "Pod") == left
    assert {n["displayName"]: n["phase"] for n in nodes if n["type"] != "Pod"} == {
        "wf": "Running",
        "f": "Running",
    }


@pytest.mark.parametrize(("given", "left"), [([], ["a(0:1)", "a(1:2)"]), (["ok=yes"], [])])
def test_a_fan_before_what_failed_is_reopened(given: list[str], left: list[str], tmp_path: Path) -> None:
    failing = task("b", "test {{workflow.parameters.ok}} = yes", depends="a")
    world = ended(spec(task("a", withParam="[1,2]"), failing, arguments=OK), tmp_path / "one")
    fresh = retry(world.workflow, given, world.now)
    nodes = fresh["status"]["nodes"].values()
    assert sorted(node["displayName"] for node in nodes if node["type"] == "Pod") == left
    assert next(node for node in nodes if node["displayName"] == "a")["phase"] == "Running"
    again = World(fresh, tmp_path / "two")
    again.advance()
    again.run()
    assert phases(again)["b"] == ("Succeeded" if given else "Failed")


def test_a_dag_before_what_failed_is_reopened(tmp_path: Path) -> None:
    inner = {"name": "inner", "dag": {"tasks": [task("x"), task("y", depends="x")]}}
    given = spec(
        {"name": "a", "template": "inner"}, task("b", "exit 1", depends="a"), task("c"), templates=(inner,)
    )
    world = ended(given, tmp_path / "one")
    fresh = retry(world.workflow, [], world.now)
    found = {n["displayName"]: n["phase"] for n in fresh["status"]["nodes"].values()}
    assert found == {"wf": "Running", "a": "Running", "x": "Succeeded", "y": "Succeeded", "c": "Succeeded"}
    again = World(fresh, tmp_path / "two")
    created = [action.node_id for action in again.advance().actions if isinstance(action, CreatePod)]
    assert [again.workflow["status"]["nodes"][key]["displayName"] for key in created] == ["b"]


def test_a_dag_that_a_retry_has_set_back_ends_once_what_comes_after_it_has(tmp_path: Path) -> None:
    inner = {"name": "inner", "dag": {"tasks": [task("x")]}}
    mended = tmp_path / "mended"
    given = spec(
        {"name": "a", "template": "inner"},
        task("join", depends="a"),
        task("b", f"test -e {mended}", depends="join"),
        task("c", depends="b"),
        templates=(inner,),
    )
    world = ended(given, tmp_path / "one")
    mended.touch()
    again = World(retry(world.workflow, [], world.now), tmp_path / "two")
    again.advance()
    again.run()
    assert set(phases(again).values()) == {"Succeeded"}


def test_an_attempt_that_failed_before_one_that_succeeded_stays(tmp_path: Path) -> None:
    flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 2}}
    flaky["container"] = {"image": "x", "command": ["sh", "-c"], "args": ["test {{retries}} = 1"]}
    given = spec({"name": "a", "template": "flaky"}, task("b", "exit 1"), templates=(flaky,))
    world = ended(given, tmp_path)
    found = {
        n["displayName"]: n["phase"] for n in retry(world.workflow, [], world.now)["status"]["nodes"].values()
    }
    assert found == {"wf": "Running", "a": "Succeeded", "a(0)": "Failed", "a(1)": "Succeeded"}


# operate, setGlobalParameters (operator.go).


def bye(text: str, env: str) -> JSON:
    container = {
        "image": "x",
        "command": ["sh", "-c"],
        "args": [text],
        "env": [{"name": "V", "value": env}],
    }
    return {**POD, "name": "bye", "inputs": {}, "container": container}


def test_without_failures_there_is_null(start: Any) -> None:
    handler = bye('printf %s "$V" > /tmp/out', "{{workflow.failures}}")
    world = start(spec(task("a"), templates=(handler,), onExit="bye"))
    world.run()
    assert output(named(world)["wf.onExit"]) == '"null"'


def test_parameters_have_their_fields_in_the_order_of_the_type(start: Any) -> None:
    show = bye('printf %s "$V" > /tmp/out', "{{workflow.parameters.json}}")
    given = spec({"name": "a", "template": "bye"}, templates=(show,))
    given["arguments"] = {"parameters": [{"value": "<1>", "description": "d", "enum": ["<1>"], "name": "p"}]}
    world = start(given)
    world.run()
    assert output(named(world)["wf.a"]) == (
        '[{"name":"p","value":"\\u003c1\\u003e","enum":["\\u003c1\\u003e"],"description":"d"}]'
    )


def test_later_tasks_see_the_labels_that_the_controller_wrote(start: Any) -> None:
    show = bye('printf %s "$V" > /tmp/out', "{{workflow.labels.json}}")
    first, second = {"name": "a", "template": "bye"}, {"name": "b", "template": "bye", "depends": "a"}
    world = start(spec(first, second, templates=(show,)))
    world.run()
    assert output(named(world)["wf.a"]) == "null"
    assert json.loads(output(named(world)["wf.b"])) == {
        "workflows.argoproj.io/completed": "false",
        "workflows.argoproj.io/phase": "Running",
    }


def test_a_stopped_exit_dag_is_failed_once_its_first_tasks_began(start: Any) -> None:
    exits = {"name": "exits", "dag": {"tasks": [task("x", "sleep 1"), task("y", depends="x")]}}
    world = start(spec(task("a", "sleep 9"), templates=(exits,), onExit="exits"))
    world.run(lambda: phases(world).get("a") == "Running")
    world.advance(Shutdown("Stop"))
    world.run()
    found = {name: node["phase"] for name, node in named(world).items()}
    assert found == {"wf": "Failed", "wf.a": "Failed", "wf.onExit": "Failed", "wf.onExit.x": "Succeeded"}
    assert world.operation.finished


# processNodeRetries, executeTemplate (operator.go), executeSuspend (suspend.go).


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"limit": 1, "backoff": {}}, ""),
        ({"limit": 1, "backoff": {"factor": 2}}, "no base duration specified for retryStrategy"),
        (
            {"limit": 1, "backoff": {"duration": "soon"}},
            'unable to parse soon as a duration: time: invalid duration "soon"',
        ),
        (
            {"limit": 1, "expression": "lastRetry.exitCode"},
            "unable to cast expression result '3' to bool",
        ),
    ],
)
def test_a_strategy_that_cannot_be_read_is_an_error_of_the_task(
    strategy: JSON, message: str, start: Any
) -> None:
    flaky = {**POD, "name": "flaky", "retryStrategy": strategy}
    given = {**task("a", "exit 3"), "template": "flaky"}
    world = start(spec(given, templates=(flaky,)))
    world.run()
    node = named(world)["wf.a"]
    if message:
        assert (node["phase"], node["message"]) == ("Error", f"task 'wf.a' errored: {message}")
    else:
        assert (node["phase"], node["message"]) == ("Failed", "No more retries left")


def test_no_retry_after_the_deadline_of_the_workflow() -> None:
    flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 5}}
    given = spec({"name": "a", "template": "flaky"}, templates=(flaky,), activeDeadlineSeconds=10)
    operation = Operation(workflow_of("wf", given))
    (pod,) = operation.advance([], START).actions
    operation.advance([PodEnded(pod.node_id, 1)], START + 11)
    node = next(n for n in operation.workflow["status"]["nodes"].values() if n["name"] == "wf.a")
    assert node["message"] == "retry exceeded workflow deadline 2023-11-14 22:13:30 +0000 UTC"


def test_a_suspension_of_a_duration_that_cannot_be_read(start: Any) -> None:
    wait = {"name": "wait", "suspend": {"duration": "later"}}
    world = start(spec({"name": "w", "template": "wait"}, templates=(wait,)))
    world.run()
    assert named(world)["wf.w"]["message"] == (
        "task 'wf.w' errored: unable to parse later as a duration: time: invalid duration \"later\""
    )
    assert world.workflow["status"]["phase"] == "Error"


# expandTask, executeDAG, processAggregateNodeOutputs (dag.go, operator.go).


@pytest.mark.parametrize("fan", [{"withItems": []}, {"withParam": ""}])
def test_an_empty_list_in_the_template_makes_no_fan(fan: JSON, start: Any) -> None:
    world = start(spec(task("a", **fan)))
    world.run()
    assert phases(world) == {"wf": "Succeeded", "a": "Succeeded"}


def test_a_list_that_comes_out_empty_of_text_is_no_list(start: Any) -> None:
    world = start(spec(task("a"), task("b", withParam="{{tasks.a.outputs.parameters.out}}", depends="a")))
    world.run()
    assert named(world)["wf.b"]["message"] == (
        "withParam value could not be parsed as a JSON list: : unexpected end of JSON input"
    )


@pytest.mark.parametrize("strategy", [None, {"limit": 1}])
def test_the_outputs_of_a_dag_are_those_of_its_items_with_and_without_retries(
    strategy: JSON | None, start: Any
) -> None:
    pod = copy.deepcopy(POD)
    pod["name"] = "each"
    if strategy:
        pod["retryStrategy"] = strategy
    fan = {**task("f", "printf {{item}} > /tmp/out", withParam="[1,2]"), "template": "each"}
    reader = task("r", "printf %s '{{tasks.f.outputs.parameters.out}}' > /tmp/out", depends="f")
    value = {"parameter": "{{tasks.f.outputs.parameters.out}}", "default": "none"}
    outputs = {"parameters": [{"name": "all", "valueFrom": value}]}
    world = start(spec(fan, reader, templates=(pod,), main={"outputs": outputs}))
    world.run()
    assert output(named(world)["wf.r"]) == '["1","2"]'
    assert output(named(world)["wf"]) == '["1","2"]'


# What a suspended workflow, or a restarted server, must not lose.


def test_a_fan_that_ended_while_suspended_is_closed_on_resume(start: Any) -> None:
    world = start(spec(task("f", "sleep 1", withParam="[1,2]"), task("g", depends="f")))
    world.advance(Suspend())
    world.run()
    assert phases(world)["f"] == "Running"
    world.advance(Resume())
    world.run()
    assert phases(world)["g"] == "Succeeded"
    assert world.operation.finished


def test_retries_that_end_when_they_are_taken_up(start: Any) -> None:
    flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 3, "backoff": {"duration": "3"}}}
    given = {**task("a", "exit 1"), "template": "flaky"}
    world = start(spec(given, task("b", depends="a"), templates=(flaky,), activeDeadlineSeconds=4))
    world.run()
    assert phases(world)["wf"] == "Failed"
    assert world.operation.finished


def test_a_fanned_task_is_called_by_its_item(start: Any) -> None:
    show = bye('printf %s "$V" > /tmp/out', "{{tasks.name}}")
    world = start(spec({"name": "f", "template": "bye", "withParam": '["x"]'}, templates=(show,)))
    world.run()
    assert output(named(world)["wf.f(0:x)"]) == "f(0:x)"


def test_retries_of_a_stopped_dag_are_left_as_they_are(start: Any) -> None:
    flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 3}}
    world = start(spec({**task("a", "sleep 9"), "template": "flaky"}, templates=(flaky,)))
    world.run(lambda: phases(world).get("a(0)") == "Running")
    world.advance(Shutdown("Terminate"))
    world.run()
    assert phases(world) == {"wf": "Failed", "a": "Running", "a(0)": "Failed"}
    assert world.operation.finished


# taskResultReconciliation (workflow/controller/taskresult.go), UpdateProgress (workflow/progress/updater.go).


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize(("exits", "at_the_end"), [("0", "8/8"), ("1", "3/8")])
def test_what_pods_tell_of_their_progress_adds_up(
    rebuild: bool, exits: str, at_the_end: str, tmp_path: Path
) -> None:
    parts = [task("a", "sleep 1"), task("b", f"sleep 3; exit {exits}")]
    world = World(workflow_of("wf", spec(*parts)), tmp_path, rebuild)
    world.advance()
    world.run(lambda: named(world)["wf.a"]["phase"] == "Succeeded")
    for done in (5, 2):
        world.advance(PodProgress(named(world)["wf.b"]["id"], done, 7))
        assert named(world)["wf.b"]["progress"] == f"{done}/7"
        assert named(world)["wf"]["progress"] == f"{done + 1}/8" == world.workflow["status"]["progress"]
    world.run()
    assert named(world)["wf"]["progress"] == at_the_end == world.workflow["status"]["progress"]
    assert world.nodes == world.workflow["status"]["nodes"]
