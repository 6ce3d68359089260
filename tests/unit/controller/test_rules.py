"""Rules that the recordings do not show: limits, stopping, suspending, deadlines, retries, outputs."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.controller import Operation, nodes
from metaflow_hera.embedded.controller.manual import CannotRetry, retry
from metaflow_hera.embedded.controller.messages import (
    CreatePod,
    KillPod,
    PodEnded,
    PodRunning,
    Resume,
    Shutdown,
    Suspend,
)
from metaflow_hera.embedded.controller.retries import humanize, parse_duration

from .world import START, World, workflow_of

JSON = dict[str, Any]
POD: JSON = {
    "name": "pod",
    "inputs": {"parameters": [{"name": "cmd", "value": "true"}]},
    "outputs": {"parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out", "default": ""}}]},
    "container": {"image": "x", "command": ["sh", "-c"], "args": ["{{inputs.parameters.cmd}}"]},
}


def spec(*tasks: JSON, templates: tuple[JSON, ...] = (), main: JSON | None = None, **rest: Any) -> JSON:
    dag = {"name": "main", **(main or {}), "dag": {"tasks": list(tasks)}}
    return {"entrypoint": "main", "templates": [POD, *templates, dag], **rest}


def task(name: str, cmd: str = "true", **rest: Any) -> JSON:
    arguments = {"parameters": [{"name": "cmd", "value": cmd}]}
    return {"name": name, "template": "pod", "arguments": arguments, **rest}


@pytest.fixture(params=[False, True], ids=["kept", "rebuilt"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Make a world for a spec and advance it once, with one operation or a new one for each call."""

    def make(given: JSON) -> World:
        world = World(workflow_of("wf", given), tmp_path, request.param)
        world.advance()
        return world

    return make


def phases(world: World) -> dict[str, str]:
    return {node["displayName"]: node["phase"] for node in world.workflow["status"]["nodes"].values()}


def most_at_once(world: World) -> int:
    most = 0
    while not world.operation.finished and world.step():
        nodes = world.workflow["status"]["nodes"].values()
        most = max(most, sum(n["type"] == "Pod" and n["phase"] in ("Pending", "Running") for n in nodes))
    return most


def test_parallelism_of_a_template(start: Any) -> None:
    world = start(spec(task("f", withParam="[1,2,3,4,5]"), task("g"), task("h"), main={"parallelism": 2}))
    assert most_at_once(world) == 2
    assert world.workflow["status"]["progress"] == "7/7"


def test_parallelism_of_the_workflow_holds_over_all_dags(start: Any) -> None:
    inner = {"name": "inner", "dag": {"tasks": [task("x", withParam="[1,2,3]")]}}
    tasks = [{"name": f"d{i}", "template": "inner"} for i in range(3)]
    world = start(spec(*tasks, templates=(inner,), parallelism=2))
    assert most_at_once(world) == 2
    assert world.workflow["status"]["phase"] == "Succeeded"


def test_stop_fails_what_runs_and_what_would_have_started(start: Any) -> None:
    world = start(
        spec(task("f", "sleep 9", withParam="[1,2,3]"), task("e", depends="f"), main={"parallelism": 1})
    )
    world.run(lambda: phases(world).get("f(0:1)") == "Running")
    outcome = world.advance(Shutdown("Stop"))
    assert [type(action) for action in outcome.actions] == [KillPod]
    world.run()
    status = world.workflow["status"]
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    found = phases(world)
    assert found["f(0:1)"] == found["f(1:2)"] == found["f(2:3)"] == found["wf"] == "Failed"
    assert "e" not in found


def test_a_killed_pod_is_waited_for(start: Any) -> None:
    world = start(spec(task("a", "sleep 9")))
    world.run(lambda: phases(world).get("a") == "Running")
    world.advance(Shutdown("Terminate"))
    assert phases(world)["wf"] == "Failed"
    assert not world.operation.finished
    world.run()
    assert world.operation.finished


def test_nothing_begins_while_suspended(start: Any) -> None:
    world = start(
        spec(
            task("a", "sleep 1"),
            task("b", depends="a"),
            task("f", withParam="[1,2]"),
            main={"parallelism": 2},
        )
    )
    world.advance(Suspend())
    world.run()
    before = phases(world)
    assert "b" not in before
    assert world.workflow["status"]["phase"] == "Running"
    world.advance(Resume())
    world.run()
    assert world.workflow["status"]["progress"] == "4/4"


def test_a_suspend_template_goes_on_after_its_duration(start: Any) -> None:
    wait = {"name": "wait", "suspend": {"duration": "90"}}
    world = start(spec({"name": "w", "template": "wait"}, task("b", depends="w"), templates=(wait,)))
    assert phases(world)["w"] == "Running"
    world.run()
    assert world.now >= START + 90
    assert phases(world) == {"wf": "Succeeded", "w": "Succeeded", "b": "Succeeded"}


def test_the_deadline_of_the_workflow_ends_a_suspension(start: Any) -> None:
    wait = {"name": "wait", "suspend": {}}
    world = start(spec({"name": "w", "template": "wait"}, templates=(wait,), activeDeadlineSeconds=5))
    world.run()
    nodes = {n["displayName"]: n for n in world.workflow["status"]["nodes"].values()}
    assert nodes["w"]["message"] == "Step exceeded its deadline"
    assert world.workflow["status"]["phase"] == "Failed"


def test_pods_get_what_is_left_of_the_deadline() -> None:
    operation = Operation(
        workflow_of("wf", spec(task("a"), task("b", depends="a"), activeDeadlineSeconds=100))
    )
    (first,) = operation.advance([], START).actions
    assert isinstance(first, CreatePod)
    assert first.deadline_seconds == 100
    operation.advance([PodRunning(first.node_id)], START + 1)
    (second,) = operation.advance([PodEnded(first.node_id, 0)], START + 40).actions
    assert isinstance(second, CreatePod)
    assert second.deadline_seconds == 60


def test_retries_wait_for_their_backoff() -> None:
    flaky = {
        **POD,
        "name": "flaky",
        "retryStrategy": {"limit": 2, "backoff": {"duration": "10", "factor": 3}},
    }
    operation = Operation(workflow_of("wf", spec({"name": "a", "template": "flaky"}, templates=(flaky,))))
    now, waits = START, []
    (pod,) = operation.advance([], now).actions
    for _ in range(2):
        outcome = operation.advance([PodEnded(pod.node_id, 1)], now)
        assert not outcome.actions
        assert outcome.wake_at is not None
        waits.append(outcome.wake_at - now)
        now = outcome.wake_at
        (pod,) = operation.advance([], now).actions
    operation.advance([PodEnded(pod.node_id, 1)], now)
    assert waits == [10, 30]
    assert operation.workflow["status"]["phase"] == "Failed"


def test_an_error_is_retried_only_where_the_policy_says_so() -> None:
    for policy, attempts in (("OnFailure", 1), ("OnError", 2), ("Always", 2)):
        flaky = {**POD, "name": "flaky", "retryStrategy": {"limit": 1, "retryPolicy": policy}}
        operation = Operation(workflow_of("wf", spec({"name": "a", "template": "flaky"}, templates=(flaky,))))
        (pod,) = operation.advance([], START).actions
        outcome = operation.advance([PodEnded(pod.node_id, None, message="pod deleted")], START)
        assert len(outcome.actions) == attempts - 1


def test_a_retried_dag(start: Any) -> None:
    inner = {
        "name": "inner",
        "retryStrategy": {"limit": 1},
        "dag": {"tasks": [task("x", "test {{workflow.name}} = no")]},
    }
    world = start(spec({"name": "d", "template": "inner"}, templates=(inner,)))
    world.run()
    found = {n["name"]: n for n in world.workflow["status"]["nodes"].values()}
    assert found["wf.d"]["message"] == "No more retries left"
    assert [found[f"wf.d({i})"]["type"] for i in (0, 1)] == ["DAG", "DAG"]
    assert {"wf.d(0).x", "wf.d(1).x"} <= set(found)


def test_targets_and_sequences(start: Any) -> None:
    given = spec(
        task(
            "a", "printf %s {{item}} > /tmp/out", withSequence={"start": "3", "end": "1", "format": "n%02d"}
        ),
        task("b", depends="a"),
        task("c"),
    )
    given["templates"][-1]["dag"]["target"] = "b"
    world = start(given)
    world.run()
    assert set(phases(world)) == {"wf", "a", "a(0:n03)", "a(1:n02)", "a(2:n01)", "b"}


def test_an_unset_output_takes_the_default_of_the_input_it_is_for(start: Any) -> None:
    strict = copy.deepcopy(POD)
    strict["name"] = "strict"
    del strict["outputs"]["parameters"][0]["valueFrom"]["default"]
    skipped = {**task("s", when="a == b"), "template": "strict"}
    reader = task("r", "{{tasks.s.outputs.parameters.out}}", depends="s")
    world = start(spec(skipped, reader, templates=(strict,)))
    world.run()
    assert phases(world) == {"wf": "Succeeded", "s": "Skipped", "r": "Succeeded"}


def test_a_task_whose_reference_never_resolves_is_waited_for(start: Any) -> None:
    world = start(spec(task("a"), task("b", "{{tasks.a.outputs.parameters.out}}")))
    world.run()
    assert not world.operation.finished
    assert phases(world) == {"wf": "Running", "a": "Succeeded"}


def test_an_output_that_was_not_written_is_an_error(start: Any) -> None:
    strict = copy.deepcopy(POD)
    del strict["outputs"]["parameters"][0]["valueFrom"]["default"]
    given = spec(task("a"))
    strict["outputs"]["parameters"].append({"name": "more", "valueFrom": {"path": "/tmp/more"}})
    given["templates"][0] = strict
    world = start(given)
    world.run()
    assert phases(world) == {"wf": "Error", "a": "Error"}
    (node,) = (each for each in world.workflow["status"]["nodes"].values() if each["displayName"] == "a")
    path = "/var/run/argo/outputs/parameters/tmp/out"
    assert node["message"] == f"wait: Error (exit code 64): open {path}: no such file or directory"
    assert ["value" in each for each in node["outputs"]["parameters"]] == [False, False]


def test_the_exit_handler_sees_the_failures(start: Any) -> None:
    bye = {**POD, "name": "bye"}
    bye["inputs"] = {}
    bye["container"] = {
        "image": "x",
        "command": ["sh", "-c"],
        "args": ['printf %s "$F" > /tmp/out'],
        "env": [{"name": "F", "value": "{{workflow.failures}}"}],
    }
    world = start(spec(task("a", "exit 3"), templates=(bye,), onExit="bye"))
    world.run()
    node = next(n for n in world.workflow["status"]["nodes"].values() if n["name"] == "wf.onExit")
    failures = json.loads(json.loads(node["outputs"]["parameters"][0]["value"]))
    assert {f["displayName"]: f["message"] for f in failures} == {"wf": "", "a": "main: Error (exit code 3)"}


def test_retrying_keeps_what_succeeded(tmp_path: Path) -> None:
    given = spec(
        task("a"), task("b", "test {{workflow.parameters.ok}} = yes", depends="a"), task("c", depends="b")
    )
    given["arguments"] = {"parameters": [{"name": "ok", "value": "no"}]}
    world = World(workflow_of("wf", given), tmp_path / "one")
    world.advance()
    world.run()
    again = World(retry(world.workflow, ["ok=yes"], world.now), tmp_path / "two")
    created = [action.node_id for action in again.advance().actions if isinstance(action, CreatePod)]
    assert [again.workflow["status"]["nodes"][key]["displayName"] for key in created] == ["b"]
    again.run()
    assert again.workflow["status"]["phase"] == "Succeeded"
    with pytest.raises(CannotRetry, match="To retry a succeeded workflow"):
        retry(again.workflow, [], again.now)


def test_a_template_of_another_object_runs_under_its_own_scope() -> None:
    workflow = workflow_of("wf", {"workflowTemplateRef": {"name": "t"}})
    workflow["status"]["storedWorkflowTemplateSpec"] = spec(task("a"))
    operation = Operation(workflow)
    operation.advance([], START)
    assert {node["templateScope"] for node in workflow["status"]["nodes"].values()} == {"local/"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), ("1m30s", 90), ("2h", 7200), ("1.5s", 1.5), ("1d", 86400), ("250ms", 0.25)],
)
def test_durations(text: str, value: float) -> None:
    assert parse_duration(text) == value


def test_durations_in_words() -> None:
    assert [humanize(n) for n in (1, 75, 3720)] == ["1 seconds", "1 minutes 15 seconds", "1 hours 2 minutes"]


def fan_of(count: int, parallelism: int) -> JSON:
    return spec(
        task("w", "{{item}}", withParam=json.dumps(list(range(count)))),
        task("j", depends="w"),
        main={"parallelism": parallelism},
    )


def work_of(count: int, parallelism: int) -> tuple[float, int]:
    """Nodes changed for each event of a fan, and the most nodes that one event between changed."""
    operation = Operation(workflow_of("wf", fan_of(count, parallelism)))
    pods = list(operation.advance([], START).actions)
    changed, events, most = 0, 0, 0
    while pods:
        pod = pods.pop(0)
        for event in (PodRunning(pod.node_id), PodEnded(pod.node_id, 0)):
            outcome = operation.advance([event], START)
            events += 1
            if events < 2 * count:
                changed += len(outcome.nodes)
                most = max(most, len(outcome.nodes))
            pods += outcome.actions
    assert operation.finished
    return changed / events, most


@pytest.mark.parametrize("parallelism", [2, 50])
def test_the_work_for_an_event_does_not_grow_with_the_fan(parallelism: int) -> None:
    _, most_of_small = work_of(100, parallelism)
    average, most = work_of(1_000, parallelism)
    assert average < 3
    assert most == most_of_small <= 6


def test_the_list_of_a_fan_is_not_copied_into_its_nodes() -> None:
    operation = Operation(workflow_of("wf", fan_of(1_000, 10)))
    operation.advance([], START)
    sizes = [len(json.dumps(node)) for node in operation.workflow["status"]["nodes"].values()]
    assert max(sizes) < 1_500


@pytest.mark.parametrize("rebuild", [False, True], ids=["kept", "rebuilt"])
def test_two_items_whose_ids_are_the_same_are_one_node(rebuild: bool) -> None:
    # fan(6058:6058) and fan(6496:6496) of `wf`: Argo finds the node of the one for the other.
    operation = Operation(
        workflow_of(
            "wf", spec(task("fan", withParam=json.dumps(list(range(6_497)))), task("j", depends="fan"))
        )
    )
    started: dict[str, int] = {}

    def advance(*events: PodRunning | PodEnded) -> None:
        for action in operation.advance(events, START).actions:
            assert isinstance(action, CreatePod)
            started[action.node_id] = started.get(action.node_id, 0) + 1

    advance()
    assert len(started) == 6_496
    if rebuild:
        operation = Operation(json.loads(json.dumps(operation.workflow)))
    advance(*(PodEnded(key, 0, {"out": "x"}) for key in list(started)))
    assert operation.workflow["status"]["nodes"]["wf"]["children"]
    (join,) = list(started)[6_496:]
    advance(PodEnded(join, 0, {"out": "x"}))
    assert set(started.values()) == {1}
    assert operation.workflow["status"]["phase"] == "Succeeded"


def test_an_attempt_whose_id_is_that_of_another_node_waits_for_it(start: Any) -> None:
    # fan(1:cblhi)(0) has the id of fan(0:dqpk), which has attempts of its own.
    container = {"image": "x", "command": ["sh", "-c"], "args": ["exit $(({{retries}} == 0))"]}
    retried = {"name": "retried", "retryStrategy": {"limit": 1}, "container": container}
    fan = {"name": "fan", "template": "retried", "withItems": ["dqpk", "cblhi"]}
    world = start(spec(fan, templates=(retried,)))
    world.run()
    assert world.workflow["status"]["phase"] == "Succeeded"
    assert phases(world) == {
        "wf": "Succeeded",
        "fan": "Succeeded",
        "fan(0:dqpk)": "Succeeded",
        "fan(0:dqpk)(0)": "Failed",
        "fan(0:dqpk)(1)": "Succeeded",
        "fan(1:cblhi)": "Succeeded",
    }


def test_a_template_that_calls_itself_twice_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", 1_000)
    twice = [{"name": name, "template": "main"} for name in ("a", "b")]
    operation = Operation(workflow_of("wf", spec(*twice)))
    with pytest.raises(nodes.TooManyNodes, match="more than 1,000 nodes"):
        operation.advance([], START)
