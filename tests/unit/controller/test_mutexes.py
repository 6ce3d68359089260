"""Mutexes within one workflow: who holds them, who waits, and what the status says of it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.controller import Operation
from metaflow_hera.embedded.controller.lock_table import LockTable
from metaflow_hera.embedded.controller.messages import Resume, Shutdown, Suspend
from metaflow_hera.embedded.rules.validation import Invalid, validate_workflow

from .test_rules import POD, most_at_once, phases, spec, start, task
from .world import START, World, workflow_of

__all__ = ["start"]

JSON = dict[str, Any]
LOCK = "argo/Mutex/lock"
WAITS = f"Waiting for {LOCK} lock. Lock status: 0/1"


def mutexes(*names: str) -> JSON:
    return {"synchronization": {"mutexes": [{"name": name} for name in names]}}


def locked(*names: str, name: str = "locked", **rest: Any) -> JSON:
    """The pod template, with mutexes."""
    return {**POD, "name": name, **mutexes(*names), **rest}


def node(world: World, display: str) -> JSON:
    nodes = world.workflow["status"]["nodes"].values()
    return next(each for each in nodes if each["displayName"] == display)


def mutex_status(world: World) -> JSON:
    found: JSON = world.workflow["status"]["synchronization"]["mutex"]
    return found


def two(**rest: Any) -> JSON:
    tasks = [task(name, "sleep 10", template="locked") for name in "ab"]
    return spec(*tasks, templates=(locked("lock"),), **rest)


def test_who_waits_says_for_what(start: Any) -> None:
    world = start(two())
    a, b = node(world, "a"), node(world, "b")
    assert (b["phase"], b["message"], b["synchronizationStatus"]) == ("Pending", WAITS, {"waiting": LOCK})
    assert "synchronizationStatus" not in a
    assert "message" not in a
    holder = {"mutex": LOCK, "holder": f"argo/wf/{a['id']}"}
    assert mutex_status(world) == {"holding": [holder], "waiting": [holder]}
    world.run(lambda: phases(world)["a"] == "Succeeded")
    b = node(world, "b")
    assert "message" not in b
    assert "synchronizationStatus" not in b
    # What Argo has noted of who waits stays as it was.
    other = {"mutex": LOCK, "holder": f"argo/wf/{b['id']}"}
    assert mutex_status(world) == {"holding": [other], "waiting": [holder]}
    world.run()
    assert world.now == START + 20
    assert "synchronization" not in world.workflow["status"]
    assert set(phases(world).values()) == {"Succeeded"}


def test_a_name_comes_from_an_input_and_each_lock_is_its_own(start: Any) -> None:
    pod = locked("{{inputs.parameters.cmd}}-{{workflow.name}}")
    world = start(
        spec(*(task(f"t{i}", f"sleep {5 + i % 2}", template="locked") for i in range(4)), templates=(pod,))
    )
    assert {key: value for key, value in phases(world).items() if key != "wf"} == dict.fromkeys(
        ("t0", "t1", "t2", "t3"), "Pending"
    )
    assert node(world, "t2")["synchronizationStatus"] == {"waiting": "argo/Mutex/sleep 5-wf"}
    assert "synchronizationStatus" not in node(world, "t1")
    world.run()
    assert world.now == START + 12


def test_all_locks_or_none(start: Any) -> None:
    """`b` wants two and waits for one; `c`, behind it in no queue of another workflow, may have the other."""
    templates = (locked("one", name="x"), locked("two", "one", name="y"), locked("two", name="z"))
    tasks = [task(name, "sleep 10", template=to) for name, to in zip("abc", "xyz", strict=True)]
    world = start(spec(*tasks, templates=templates))
    held = {entry["mutex"]: entry["holder"] for entry in mutex_status(world)["holding"]}
    ids = {name: f"argo/wf/{node(world, name)['id']}" for name in "abc"}
    assert held == {"argo/Mutex/one": ids["a"], "argo/Mutex/two": ids["c"]}
    assert node(world, "b")["message"] == "Waiting for argo/Mutex/two lock. Lock status: 0/1"
    world.run()
    assert (world.now, world.workflow["status"]["phase"]) == (START + 20, "Succeeded")


def test_a_foreach_with_retries_holds_the_lock_from_the_first_attempt_to_the_last(start: Any) -> None:
    pod = locked("lock", retryStrategy={"limit": 2, "backoff": {"duration": "5"}})
    pod["container"] = {**POD["container"], "args": ["sleep 10; test {{retries}} = 1"]}
    group = task("f", template="locked", withParam="[1,2,3]")
    world = start(spec(group, templates=(pod,)))
    waiting = node(world, "f(1:2)")
    assert (waiting["type"], waiting["phase"], waiting["message"]) == ("Retry", "Pending", WAITS)
    assert most_at_once(world) == 1
    assert (world.workflow["status"]["phase"], world.workflow["status"]["progress"]) == ("Succeeded", "3/6")
    pods = [each for each in world.workflow["status"]["nodes"].values() if each["type"] == "Pod"]
    order = [each["displayName"] for each in sorted(pods, key=lambda each: each["startedAt"])]
    assert order == [f"f({i}:{i + 1})({attempt})" for i, attempt in itertools.product(range(3), range(2))]
    # A node that had to wait stays Pending until it is over.
    assert {
        each["phase"] for each in world.workflow["status"]["nodes"].values() if each["type"] == "Retry"
    } == {"Succeeded"}


@pytest.mark.parametrize("kind", ["dag", "steps"])
def test_a_dag_and_steps_hold_a_lock_until_they_are_over(kind: str, start: Any) -> None:
    body: JSON = {"dag": {"tasks": [task("x", "sleep 10")]}}
    if kind == "steps":
        body = {"steps": [[task("x", "sleep 4")], [task("y", "sleep 6")]]}
    inner = {"name": "inner", **mutexes("lock"), **body}
    world = start(spec(*({"name": name, "template": "inner"} for name in "ab"), templates=(inner,)))
    assert (node(world, "b")["type"], node(world, "b")["phase"]) == (
        "DAG" if kind == "dag" else "Steps",
        "Pending",
    )
    world.run(lambda: phases(world)["a"] == "Succeeded")
    # Argo leaves its phase as it is while its pods run.
    assert (node(world, "b")["phase"], node(world, "b")["progress"]) == ("Pending", "0/1")
    world.run()
    assert (world.now, world.workflow["status"]["phase"]) == (START + 20, "Succeeded")


def test_steps_and_a_suspended_node_wait_too(start: Any) -> None:
    pause = {"name": "pause", "suspend": {"duration": "10"}, **mutexes("lock")}
    steps = {"name": "s", "steps": [[{"name": name, "template": "pause"} for name in "ab"], [task("c")]]}
    world = start({"entrypoint": "s", "templates": [POD, pause, steps]})
    assert (phases(world)["a"], phases(world)["b"], node(world, "b")["message"]) == (
        "Running",
        "Pending",
        WAITS,
    )
    world.advance(Resume())
    # The wait for the lock counts, as in Argo.
    assert (phases(world)["a"], phases(world)["b"]) == ("Succeeded", "Running")
    world.run()
    assert (world.now, world.workflow["status"]["phase"]) == (START + 10, "Succeeded")


def test_the_root_and_the_exit_handler_wait_for_nobody_of_their_own_workflow(start: Any) -> None:
    pod = locked("lock", container={**POD["container"], "args": ["sleep 1"]})
    world = start({"entrypoint": "locked", "onExit": "locked", "templates": [pod]})
    world.run()
    assert phases(world) == {"wf": "Succeeded", "wf.onExit": "Succeeded"}


@pytest.mark.parametrize("deadline", [False, True])
def test_who_wants_what_is_held_around_it_waits_until_it_is_ended(deadline: bool, start: Any) -> None:
    limit = {"activeDeadlineSeconds": 60} if deadline else {}
    world = start(
        spec(task("a", template="locked"), templates=(locked("lock"),), main=mutexes("lock"), **limit)
    )
    world.run()
    if not deadline:
        assert (phases(world), node(world, "a")["message"]) == ({"wf": "Running", "a": "Pending"}, WAITS)
        world.advance(Shutdown("Stop"))
    assert (world.operation.finished, phases(world)) == (True, {"wf": "Failed", "a": "Failed"})


@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
def test_a_shutdown_fails_who_waits_at_once(strategy: str, start: Any) -> None:
    world = start(two())
    world.run(lambda: phases(world)["a"] == "Running")
    world.advance(Shutdown(strategy))
    b = node(world, "b")
    assert (b["phase"], b["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
    world.run()
    assert "synchronizationStatus" not in node(world, "b")
    status = world.workflow["status"]
    assert (status["phase"], status["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
    assert "synchronization" not in status
    assert world.nodes == status["nodes"]


def test_a_lock_goes_back_when_the_pod_is_gone(tmp_path: Path) -> None:
    table = LockTable()
    world = World(workflow_of("wf", two()), tmp_path)
    world.operation = Operation(world.workflow, locks=table)
    world.advance()
    world.step()
    holder = table.holder(LOCK)
    assert holder == f"argo/wf/{node(world, 'a')['id']}"
    world.advance(Shutdown("Terminate"))
    assert (phases(world)["a"], table.holder(LOCK)) == ("Failed", holder)
    world.run()
    assert (world.operation.finished, table.holder(LOCK)) == (True, "")


def test_an_exit_handler_waits_for_ever_for_what_a_stopped_node_held(start: Any) -> None:
    """Argo comes no more to the node whose DAG it has failed, so its lock goes back at the workflow's end."""
    world = start(two(onExit="locked"))
    world.run(lambda: phases(world)["a"] == "Running")
    world.advance(Shutdown("Stop"))
    world.run()
    assert not world.operation.finished
    assert (phases(world)["wf.onExit"], node(world, "wf.onExit")["message"]) == ("Pending", WAITS)
    world.advance(Shutdown("Terminate"))
    assert world.operation.finished
    assert node(world, "wf.onExit")["message"] == "Stopped with strategy 'Terminate'"


def test_the_deadline_of_the_workflow_fails_who_waits(start: Any) -> None:
    world = start(two(activeDeadlineSeconds=5))
    world.run()
    assert phases(world) == {"wf": "Failed", "a": "Failed", "b": "Failed"}
    assert node(world, "b")["message"] == "Step exceeded its deadline"


def test_the_deadline_fails_a_dag_that_has_waited_as_what_has_not_started(start: Any) -> None:
    inner = {"name": "inner", **mutexes("lock"), "dag": {"tasks": [task("x", "sleep 10")]}}
    tasks = [{"name": name, "template": "inner"} for name in "ab"]
    world = start(spec(*tasks, templates=(inner,), activeDeadlineSeconds=15))
    world.run()
    assert (phases(world)["a"], phases(world)["b"]) == ("Succeeded", "Failed")
    assert node(world, "b")["message"] == "Step exceeded its deadline"
    assert world.workflow["status"]["phase"] == "Failed"


def test_a_suspended_workflow_takes_no_lock(start: Any) -> None:
    world = start(two())
    world.advance(Suspend())
    world.run()
    assert (phases(world)["a"], phases(world)["b"]) == ("Succeeded", "Pending")
    assert "holding" not in mutex_status(world)
    world.advance(Resume())
    world.run()
    assert world.workflow["status"]["phase"] == "Succeeded"


def test_who_waits_takes_no_place_of_the_workflows_parallelism(start: Any) -> None:
    tasks = [task(name, "sleep 10", template="locked") for name in "ab"] + [task("c", "sleep 10")]
    world = start(spec(*tasks, templates=(locked("lock"),), parallelism=2))
    assert phases(world) == {"wf": "Running", "a": "Pending", "b": "Pending", "c": "Pending"}
    assert "synchronizationStatus" not in node(world, "c")
    world.run()
    assert (world.now, world.workflow["status"]["phase"]) == (START + 20, "Succeeded")


def test_a_lock_whose_name_comes_from_another_task_goes_back_at_the_end(start: Any) -> None:
    """Argo reads the name again where the task is over, from its arguments as they are written."""
    out = "{{tasks.a.outputs.parameters.out}}"
    echo = {**POD, "name": "echo", "container": {**POD["container"], "args": ["printf lock > /tmp/out"]}}
    pod = locked("{{inputs.parameters.cmd}}")
    pod["container"] = {**POD["container"], "args": ["true"]}
    named = [task(name, out, template="locked", depends="a") for name in "bc"]
    world = start(spec(task("a", template="echo"), *named, templates=(echo, pod)))
    world.run()
    assert not world.operation.finished
    assert (phases(world)["b"], phases(world)["c"]) == ("Succeeded", "Pending")
    world.advance(Shutdown("Terminate"))
    assert world.operation.finished

    items = task("i", template="locked", withParam='["lock", "lock"]', depends="a")
    items["arguments"]["parameters"][0]["value"] = "{{item}}"
    again = World(
        workflow_of("wf", spec(task("a", template="echo"), items, templates=(echo, pod))), world.folder / "2"
    )
    again.advance()
    again.run()
    assert again.workflow["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("kind", ["dag", "steps", "retry"])
def test_a_dag_steps_and_a_retry_give_back_a_lock_whose_name_comes_from_another_task(
    kind: str, start: Any
) -> None:
    echo = {**POD, "name": "echo", "container": {**POD["container"], "args": ["printf lock > /tmp/out"]}}
    inside: JSON = {"inputs": POD["inputs"], **mutexes("{{inputs.parameters.cmd}}")}
    if kind == "retry":
        inside |= {"retryStrategy": {"limit": 1}, "container": {**POD["container"], "args": ["true"]}}
    else:
        inside |= {"dag": {"tasks": [task("x")]}} if kind == "dag" else {"steps": [[task("x")]]}
    out = "{{tasks.a.outputs.parameters.out}}"
    tasks = [task(name, out, template="inside", depends="a") for name in "bc"]
    world = start(spec(task("a", template="echo"), *tasks, templates=(echo, {"name": "inside", **inside})))
    world.run()
    assert (world.workflow["status"]["phase"], phases(world)["c"]) == ("Succeeded", "Succeeded")


def test_a_lock_named_twice_is_an_error_and_one_of_two_spellings_is_none(start: Any) -> None:
    world = start(spec(task("a", template="locked"), templates=(locked("x", "x"),)))
    world.run()
    reason = "requested configuration is invalid: duplicate synchronization item found"
    assert node(world, "a")["message"] == f"task 'wf.a' errored: {reason}"
    both = locked("x")
    both["synchronization"]["mutexes"].append({"name": "x", "namespace": "argo"})
    world = World(
        workflow_of("wf", spec(task("a", template="locked"), templates=(both,))), world.folder / "2"
    )
    world.advance()
    world.run()
    assert world.workflow["status"]["phase"] == "Succeeded"


def test_an_error_after_the_lock_was_taken_gives_it_back(start: Any) -> None:
    bad = locked("lock", activeDeadlineSeconds="{{inputs.parameters.cmd}}")
    world = start(spec(task("a", template="locked"), task("b", template="locked"), templates=(bad,)))
    world.run()
    assert (phases(world)["a"], phases(world)["b"]) == ("Error", "Error")


@pytest.mark.parametrize("kind", ["dag", "steps"])
def test_an_error_of_who_has_waited_is_told_as_any_other(kind: str, start: Any) -> None:
    bad = locked("lock", activeDeadlineSeconds="{{inputs.parameters.cmd}}", name="bad")
    tasks = [task("a", "sleep 10", template="locked"), task("b", "much", template="bad")]
    body = {"dag": {"tasks": tasks}} if kind == "dag" else {"steps": [tasks]}
    world = start({"entrypoint": "m", "templates": [locked("lock"), bad, {"name": "m", **body}]})
    world.run()
    reason = "value 'much' cannot be resolved to an int"
    b = node(world, "b")
    assert b["phase"] == "Error"
    assert b["message"] == (f"task 'wf.b' errored: {reason}" if kind == "dag" else reason)
    if kind == "steps":
        told = f"step group deemed errored due to child wf[0].b error: {reason}"
        assert (phases(world)["[0]"], node(world, "[0]")["message"]) == ("Error", told)


def test_a_workflow_that_has_its_lock_begins_and_one_that_has_not_is_pending(tmp_path: Path) -> None:
    table = LockTable()
    given = {"entrypoint": "pod", "templates": [POD], **mutexes("of-{{workflow.namespace}}")}
    first, second = (workflow_of(name, given) for name in ("one", "two"))
    second["metadata"]["uid"] = "2"
    worlds = [World(workflow, tmp_path / workflow["metadata"]["name"]) for workflow in (first, second)]
    for world in worlds:
        world.operation = Operation(world.workflow, locks=table)
        world.advance()
    status = second["status"]
    assert (first["status"]["phase"], status["phase"]) == ("Running", "Pending")
    assert status["message"] == "Waiting for argo/Mutex/of-argo lock. Lock status: 0/1"
    assert not status.get("startedAt")
    assert not status["nodes"]
    assert second["metadata"]["labels"] == {
        "workflows.argoproj.io/phase": "Pending",
        "workflows.argoproj.io/completed": "false",
    }
    waiting = [{"mutex": "argo/Mutex/of-argo", "holder": "argo/one"}]
    assert status["synchronization"] == {"mutex": {"waiting": waiting}}
    worlds[1].advance(Shutdown("Stop"))  # Argo ends it by `terminate` only
    assert status["phase"] == "Pending"
    worlds[0].run()
    assert table.due() == [second["metadata"]["uid"]]
    del second["spec"]["shutdown"]
    worlds[1].advance()
    assert (status["phase"], status["startedAt"]) == ("Running", "2023-11-14T22:13:20Z")
    assert "message" not in status
    assert "annotations" not in second["metadata"]
    worlds[1].run()
    assert (status["phase"], table.due()) == ("Succeeded", [])


def test_a_workflow_that_waits_for_its_lock_is_terminated_as_failed(tmp_path: Path) -> None:
    table = LockTable()
    given = {"entrypoint": "pod", "templates": [POD], **mutexes("lock")}
    worlds = [World(workflow_of(name, given), tmp_path / name) for name in ("one", "two")]
    worlds[1].workflow["metadata"]["uid"] = "2"
    for world in worlds:
        world.operation = Operation(world.workflow, locks=table)
        world.advance()
    worlds[1].advance(Shutdown("Terminate"))
    status = worlds[1].workflow["status"]
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Terminate'")
    assert status["startedAt"]
    assert status["finishedAt"]
    assert "synchronization" not in status
    worlds[0].run()
    assert table.due() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            spec(task("a"), synchronization={"semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}]}),
            "spec.synchronization.semaphores is not implemented by the embedded Argo: a semaphore's limit is "
            "in a ConfigMap or a database, and it has neither; a mutex works",
        ),
        (
            spec(
                task("a"),
                templates=(
                    {**locked("x"), "synchronization": {"mutexes": [{"name": "x", "database": True}]}},
                ),
            ),
            "templates.locked.synchronization.mutexes[0].database is not implemented by the embedded Argo: "
            "it has no database of locks; a mutex without this field works",
        ),
        (
            spec(task("a"), templates=(locked("x", ""),)),
            "templates.locked.synchronization.mutexes[1].name is required: Argo's controller fails at a lock "
            "without a name",
        ),
        (
            spec(task("a"), templates=(locked("x"),), retryStrategy={"limit": 1}),
            "templates.locked.synchronization together with spec.retryStrategy is not implemented by the "
            "embedded Argo: give the template a retryStrategy of its own",
        ),
    ],
)
def test_what_is_refused(given: JSON, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate_workflow({"metadata": {"name": "wf"}, "spec": given})
    assert caught.value.message == words
