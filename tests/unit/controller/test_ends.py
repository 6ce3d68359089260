"""Nothing runs for ever once it is to end, and what does not run says why, as Argo's source has it."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_hera.embedded.controller.messages import PodEnded, Resume, Shutdown
from metaflow_hera.embedded.controller.operation import fail_workflow
from metaflow_hera.embedded.controller.suspension import NotSupplied, settled_outputs
from metaflow_hera.embedded.expressions.variables import TextTooLong

from . import test_steps
from .test_parity import named, output
from .test_rules import POD, phases, spec, start, task
from .world import World, workflow_of

__all__ = ["start"]

JSON = dict[str, Any]
LOST = "{{tasks.a.outputs.parameters.nowhere}}"


def hanging() -> JSON:
    return spec(task("a"), task("b", LOST, depends="a"))


@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
def test_a_task_that_waits_for_what_never_comes_can_be_ended(strategy: str, start: Any) -> None:
    world = start(hanging())
    world.run()
    assert phases(world) == {"wf": "Running", "a": "Succeeded"}
    world.advance(Shutdown(strategy))
    assert world.operation.finished
    assert world.workflow["status"]["message"] == f"Stopped with strategy '{strategy}'"


@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
def test_steps_that_wait_for_what_never_comes_can_be_ended(strategy: str, start: Any) -> None:
    lost = "{{steps.a.outputs.parameters.nowhere}}"
    world = start(test_steps.spec([task("a")], [task("b", lost)], [task("c")]))
    world.run()
    assert phases(world) == {"wf": "Running", "[0]": "Succeeded", "a": "Succeeded", "[1]": "Running"}
    world.advance(Shutdown(strategy))
    assert world.operation.finished
    assert phases(world)["[1]"] == phases(world)["wf"] == "Failed"


@pytest.mark.parametrize("place", [{"parallelism": 0}, {"main": {"parallelism": 0}}])
def test_a_workflow_that_may_run_nothing_can_be_ended(place: JSON, start: Any) -> None:
    world = start(spec(task("a"), **place))
    world.run()
    assert not world.operation.finished
    world.advance(Shutdown("Terminate"))
    assert world.operation.finished
    assert world.workflow["status"]["phase"] == "Failed"


@pytest.mark.parametrize("retries", [{}, {"retryStrategy": {"limit": 2}}])
def test_the_deadline_of_a_workflow_ends_it_whatever_it_waits_for(retries: JSON, start: Any) -> None:
    bye = {**POD, "name": "bye"}
    world = start({**hanging(), "activeDeadlineSeconds": 9, "onExit": "bye", **retries})
    world.workflow["spec"]["templates"].append(bye)
    world = World(workflow_of("wf", world.workflow["spec"]), world.folder / "again", world.rebuild)
    world.advance()
    world.run()
    assert world.operation.finished
    assert phases(world)["wf"] == "Failed"
    assert named(world)["wf"]["message"] == "Step exceeded its deadline"
    assert phases(world)["wf.onExit"] == "Succeeded"


def test_a_retry_does_not_wait_beyond_the_deadline(start: Any) -> None:
    flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 5, "backoff": {"duration": "1h"}}}
    world = start(
        spec({**task("a", "exit 1"), "template": "flaky"}, templates=(flaky,), activeDeadlineSeconds=9)
    )
    world.run()
    assert world.operation.finished
    assert named(world)["wf.a"]["message"].startswith("retry exceeded workflow deadline")


@pytest.mark.parametrize("limit", ["", "soon"])
def test_a_deadline_that_is_no_number_is_an_error(limit: str, start: Any) -> None:
    pod = {**POD, "name": "late", "activeDeadlineSeconds": "{{inputs.parameters.limit}}"}
    pod["inputs"] = {"parameters": [*POD["inputs"]["parameters"], {"name": "limit", "value": limit}]}
    world = start(spec({"name": "a", "template": "late"}, templates=(pod,)))
    world.run()
    assert named(world)["wf.a"]["phase"] == "Error"
    assert named(world)["wf.a"]["message"] == (
        f"task 'wf.a' errored: value '{limit}' cannot be resolved to an int"
    )


def test_an_attempt_whose_deadline_is_no_number_is_an_error(start: Any) -> None:
    pod = {
        **POD,
        "name": "late",
        "activeDeadlineSeconds": "{{inputs.parameters.cmd}}",
        "retryStrategy": {"limit": 1},
    }
    world = start(spec({"name": "a", "template": "late"}, templates=(pod,)))
    world.run()
    assert phases(world) == {"wf": "Error", "a": "Error", "a(0)": "Error"}


def test_a_task_that_will_not_run_needs_none_of_its_values(start: Any) -> None:
    world = start(spec(task("a"), task("b", LOST, depends="a", when="1 == 2"), task("c", depends="b")))
    world.run()
    assert phases(world) == {"wf": "Succeeded", "a": "Succeeded", "b": "Skipped", "c": "Succeeded"}


def test_a_step_that_will_not_run_needs_none_of_its_values(start: Any) -> None:
    lost = "{{steps.a.outputs.parameters.nowhere}}"
    world = start(test_steps.spec([task("a")], [task("b", lost, when="1 == 2")]))
    world.run()
    assert phases(world)["b"] == "Skipped"
    assert phases(world)["wf"] == "Succeeded"


@pytest.mark.parametrize("field", ["depends", "when", "withParam"])
def test_what_is_not_executed_itself_has_an_empty_flag(field: str, start: Any) -> None:
    given = {
        "depends": {"depends": "a.Failed"},
        "when": {"when": "1 == 2"},
        "withParam": {"withParam": "[1]"},
    }
    world = start(spec(task("a"), task("b", **given[field])))
    world.run()
    assert named(world)["wf.b"]["nodeFlag"] == {}
    assert "nodeFlag" not in named(world)["wf.a"]


def test_the_whole_workflow_is_a_step_without_a_name(start: Any) -> None:
    world = start(spec(task("a", "printf '<%s>' '{{steps.name}}' > /tmp/out")))
    world.run()
    assert output(named(world)["wf.a"]) == "<>"


def test_the_name_of_a_task_is_known_in_what_it_calls_and_not_in_its_arguments(start: Any) -> None:
    inner = {"name": "inner", "dag": {"tasks": [task("x", "printf '{{tasks.name}}' > /tmp/out")]}}
    calls = {"name": "a", "template": "inner"}
    world = start(spec(calls, task("b", "echo {{tasks.name}}"), templates=(inner,)))
    world.run()
    assert output(named(world)["wf.a.x"]) == "a"
    assert "wf.b" not in named(world)


@pytest.mark.parametrize(("most", "attempts"), [("2", 3), ("0", 1)])
def test_a_rule_for_retries_may_hold_a_tag(most: str, attempts: int, start: Any) -> None:
    rule = "asInt(lastRetry.exitCode) < {{inputs.parameters.most}} && asInt(retries) < 2"
    pod = {**POD, "name": "flaky", "retryStrategy": {"limit": 9, "expression": rule}}
    pod["inputs"] = {"parameters": [*POD["inputs"]["parameters"], {"name": "most"}]}
    given = {"parameters": [{"name": "cmd", "value": "exit 1"}, {"name": "most", "value": most}]}
    world = start(spec({"name": "a", "template": "flaky", "arguments": given}, templates=(pod,)))
    world.run()
    assert len(named(world)["wf.a"]["children"]) == attempts


def held(default: JSON, inputs: JSON | None = None) -> JSON:
    source = {"supplied": {}, **default}
    hold = {"name": "hold", "suspend": {}, "outputs": {"parameters": [{"name": "m", "valueFrom": source}]}}
    return spec({"name": "a", "template": "hold"}, templates=({**hold, **(inputs or {})},))


def test_what_a_person_may_supply_has_its_default_when_the_node_is_resumed(start: Any) -> None:
    world = start(held({"default": "d"}))
    assert named(world)["wf.a"]["outputs"]["parameters"] == [
        {"name": "m", "valueFrom": {"supplied": {}, "default": "d"}}
    ]
    world.advance(Resume())
    assert named(world)["wf.a"]["outputs"]["parameters"] == [{"name": "m", "value": "d"}]


def test_an_input_lends_its_default_to_what_a_person_may_supply(start: Any) -> None:
    inputs = {"inputs": {"parameters": [{"name": "m", "value": "v", "default": "i"}]}}
    world = start(held({}, inputs))
    world.advance(Resume())
    assert output(named(world)["wf.a"]) == "i"


def test_what_was_not_supplied_and_has_no_default_is_told(start: Any) -> None:
    world = start(held({}))
    with pytest.raises(NotSupplied, match=r"^raw output parameter 'm' has not been set and does not have a"):
        settled_outputs(named(world)["wf.a"])


def test_a_time_that_is_over_is_an_error_where_nothing_was_supplied(start: Any) -> None:
    given = held({})
    given["templates"][1]["suspend"] = {"duration": "2"}
    world = start(given)
    world.run()
    assert named(world)["wf.a"]["message"].startswith("task 'wf.a' errored: raw output parameter 'm' has not")
    assert phases(world)["wf"] == "Error"


@pytest.mark.parametrize(
    ("end", "phase", "message", "code"),
    [
        ({"by_itself": True}, "Failed", "main: Error (exit code 143): SIGTERM", "143"),
        ({}, "Failed", "workflow shutdown with strategy:  Stop", None),
        ({"exit_code": 0, "by_itself": True}, "Succeeded", "workflow shutdown with strategy:  Stop", "0"),
    ],
)
def test_a_pod_that_is_told_to_end_and_does_so_by_itself_has_its_own_words(
    end: JSON, phase: str, message: str, code: str | None, start: Any
) -> None:
    world = start(spec(task("a", "sleep 20")))
    world.run(lambda: phases(world).get("a") == "Running")
    key = named(world)["wf.a"]["id"]
    world.advance(Shutdown("Stop"))
    told = {"exit_code": 143, "message": "main: Error (exit code 143): SIGTERM", **end}
    world.advance(PodEnded(key, **told))
    node = named(world)["wf.a"]
    assert (node["phase"], node["message"]) == (phase, message)
    assert (node.get("outputs") or {}).get("exitCode") == code
    running = {each["type"]: each["status"] for each in world.workflow["status"]["conditions"]}["PodRunning"]
    assert running == ("False" if end else "True")
    assert world.operation.finished


def test_a_sequence_without_a_count_is_an_error(start: Any) -> None:
    world = start(spec(task("a", withSequence={})))
    assert named(world)["wf.a"]["message"] == "neither end nor count was specified in withSequence"


def test_waits_grow_to_what_go_can_count_and_no_further(start: Any) -> None:
    backoff = {"duration": "1", "factor": "9" * 300}
    flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 2, "backoff": backoff}}
    world = start(spec({**task("a", "exit 1"), "template": "flaky"}, templates=(flaky,)))
    world.run(lambda: phases(world).get("a(1)") == "Failed")
    assert named(world)["wf.a"]["message"].startswith("Backoff for 106751 days")


def test_a_text_that_doubles_itself_ends_its_workflow(start: Any) -> None:
    double = "{{inputs.parameters.x}}{{inputs.parameters.x}}"
    again = {"name": "a", "template": "main", "arguments": {"parameters": [{"name": "x", "value": double}]}}
    main = {
        "name": "main",
        "inputs": {"parameters": [{"name": "x", "value": "xxxx"}]},
        "dag": {"tasks": [again]},
    }
    with pytest.raises(TextTooLong):
        start({"entrypoint": "main", "templates": [main]})


def test_a_fault_of_the_controller_ends_the_workflow_and_names_it() -> None:
    workflow = workflow_of("wf", spec(task("a")))
    world_nodes = {"wf": {"id": "wf", "phase": "Running"}, "x": {"id": "x", "phase": "Succeeded"}}
    workflow["status"] = {"phase": "Running", "nodes": world_nodes}
    changed = fail_workflow(workflow, ValueError("words"), 1_700_000_000.0)
    assert workflow["status"]["message"] == "the embedded Argo failed at workflow wf: ValueError: words"
    assert workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
    assert list(changed) == ["wf"]
    assert changed["wf"]["phase"] == "Error"


def test_attempts_that_fail_at_once_do_not_hold_the_controller(start: Any) -> None:
    strategy = {"retryPolicy": "Always"}
    pod = {
        **POD,
        "name": "late",
        "activeDeadlineSeconds": "{{inputs.parameters.cmd}}",
        "retryStrategy": strategy,
    }
    world = start(spec({"name": "a", "template": "late"}, templates=(pod,)))
    for attempts in (1, 2, 3):
        assert len(named(world)["wf.a"]["children"]) >= attempts
        assert world.step()
    world.advance(Shutdown("Terminate"))
    assert world.operation.finished


def test_a_target_that_comes_out_as_something_else_is_an_error(start: Any) -> None:
    given = spec(task("a"), arguments={"parameters": [{"name": "t", "value": "nobody"}]})
    given["templates"][-1]["dag"]["target"] = "{{workflow.parameters.t}}"
    status = start(given).workflow["status"]
    assert (status["phase"], status["message"]) == (
        "Error",
        "error in entry template execution: target nobody does not exist",
    )


def test_attempts_of_a_dag_that_fails_at_once_do_not_hold_the_controller(start: Any) -> None:
    inner = {
        "name": "inner",
        "retryStrategy": {"retryPolicy": "Always"},
        "dag": {"tasks": [task("x", when="what is")]},
    }
    world = start(spec({"name": "a", "template": "inner"}, templates=(inner,)))
    assert len(named(world)["wf.a"]["children"]) < 3
    world.advance(Shutdown("Terminate"))
    assert world.operation.finished
