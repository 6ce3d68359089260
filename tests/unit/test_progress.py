"""How far the steps of a run are, from what Argo says of its nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from metaflow_hera.argo.progress import StepProgress, progress
from metaflow_hera.argo.shared_pods import TaskRetry


def task(step: str, template: str = "task", **more: str) -> dict[str, Any]:
    """A task of a DAG that runs a step."""
    parameters = [{"name": "step", "value": step}, *({"name": k, "value": v} for k, v in more.items())]
    return {"name": step, "template": template, "arguments": {"parameters": parameters}}


def fan(step: str, template: str) -> dict[str, Any]:
    """A task of a DAG that fans out over the items of a foreach step."""
    items = {"name": "items", "value": f"{{{{tasks.{step}.outputs.parameters.items}}}}"}
    return {"name": f"{step}-foreach", "template": template, "arguments": {"parameters": [items]}}


def dag(name: str, *tasks: dict[str, Any]) -> dict[str, Any]:
    """A DAG template."""
    return {"name": name, "dag": {"tasks": list(tasks)}}


SPEC = {
    "entrypoint": "flow",
    "templates": [
        dag("start-foreach", {**task("work"), "name": "work"}),
        dag("flow", task("start"), fan("start", "start-foreach"), task("collect"), task("end")),
        {"name": "task", "container": {}},
    ],
}


def node(
    step: str, phase: str = "Succeeded", path: str = "", kind: str = "Pod", **more: Any
) -> dict[str, Any]:
    """A node that runs a task of a step."""
    parameters = [{"name": "step", "value": step}, {"name": "path", "value": path}]
    return {"type": kind, "phase": phase, "inputs": {"parameters": parameters}, **more}


def items(*values: Any) -> dict[str, Any]:
    """The outputs of a foreach step."""
    return {"outputs": {"parameters": [{"name": "items", "value": json.dumps(values)}]}}


def steps(*nodes: dict[str, Any], spec: dict[str, Any] = SPEC) -> dict[str, StepProgress]:
    """The steps, by name."""
    status = {"storedWorkflowTemplateSpec": spec, "nodes": {f"n{i}": each for i, each in enumerate(nodes)}}
    return {step.name: step for step in progress(status)}


def test_before_anything_runs_all_steps_wait_in_their_order() -> None:
    found = steps()
    assert {name: step.phase for name, step in found.items()} == dict.fromkeys(
        ["start", "work", "collect", "end"], "Waiting"
    )
    assert [step.depth for step in found.values()] == [0, 1, 0, 0]
    assert (found["start"].expected, found["work"].expected) == (1, None)


def test_a_run_of_which_argo_has_said_nothing_yet() -> None:
    assert progress({}) == []


def test_a_foreach_is_counted() -> None:
    found = steps(
        node("start", **items(0, 1, 2)),
        node("work", path="-0"),
        node("work", "Running", "-1"),
    )
    work = found["work"]
    assert (work.tasks, work.done, work.expected, work.phase) == (2, 1, 3, "Running")
    assert found["start"].phase == "Succeeded"
    assert found["collect"].phase == "Waiting"


def test_tasks_not_made_yet_keep_a_foreach_from_being_done() -> None:
    found = steps(node("start", **items(0, 1, 2)), node("work", path="-0"))
    assert found["work"].phase == "Running"


def test_tasks_that_wait_for_a_place() -> None:
    found = steps(node("start", **items(0, 1)), node("work", "Pending", "-0"))
    assert found["work"].phase == "Pending"
    found = steps(node("start", **items(0, 1)), node("work", "Pending", "-0"), node("work", path="-1"))
    assert found["work"].phase == "Pending"


def test_retried_tasks_count_once_and_their_attempts_are_told() -> None:
    flag = {"nodeFlag": {"retried": True}}
    found = steps(
        node("start", kind="Retry", children=["n1", "n2"], **items(0, 1)),
        node("start", "Failed", **flag),
        node("start", **flag, **items(0, 1)),
    )
    start = found["start"]
    assert (start.tasks, start.attempts, start.phase, start.failures) == (1, 2, "Succeeded", [])
    assert found["work"].expected == 2


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_task_whose_attempt_waits_for_a_place_waits(phase: str) -> None:
    attempt = node("start", phase, nodeFlag={"retried": True})
    found = steps(node("start", "Running", kind="Retry", children=["n1"]), attempt)
    assert found["start"].phase == phase


@pytest.mark.parametrize("again", ["Pending", "Running", None])
def test_a_task_that_failed_tells_of_it_until_its_end(again: str | None) -> None:
    flag = {"nodeFlag": {"retried": True}}
    found = steps(
        node("start", "Running", kind="Retry", children=["n1", "n2"] if again else ["n1"]),
        node("start", "Failed", message="ValueError: boom", **flag),
        *([node("start", again, **flag)] if again else []),
    )
    assert found["start"].phase == (again or "Pending")
    assert found["start"].retries == [TaskRetry("", "ValueError: boom", 1, runs=again == "Running")]


def test_what_still_runs_in_a_run_that_has_ended_has_failed() -> None:
    nodes = {"n0": node("start", "Running", kind="Retry", children=["n1"]), "n1": node("start", "Failed")}
    (start, *_) = progress({"storedWorkflowTemplateSpec": SPEC, "nodes": nodes, "phase": "Failed"})
    assert (start.phase, start.done) == ("Failed", 2)


def test_a_failure_tells_the_task_and_the_last_reason() -> None:
    flag = {"nodeFlag": {"retried": True}}
    found = steps(
        node("work", "Failed", "-1", "Retry", children=["n1", "n2"], message="No more retries left"),
        node("work", "Failed", "-1", message="exit code 3", **flag),
        node("work", "Failed", "-1", message="OOMKilled (exit code 137)", **flag),
        node("work", "Succeeded", "-0"),
    )
    (failure,) = found["work"].failures
    assert (failure.path, failure.message, failure.attempts) == ("-1", "OOMKilled (exit code 137)", 2)
    assert found["work"].phase == "Failed"


def test_the_span_of_a_step_is_from_the_first_start_to_the_last_end() -> None:
    found = steps(
        node("work", path="-0", startedAt="2024-01-01T00:00:05Z", finishedAt="2024-01-01T00:00:06Z"),
        node("work", path="-1", startedAt="2024-01-01T00:00:01Z", finishedAt="2024-01-01T00:00:09Z"),
    )
    work = found["work"]
    assert (work.started_at, work.finished_at) == ("2024-01-01T00:00:01Z", "2024-01-01T00:00:09Z")


@pytest.mark.parametrize("phase", ["Skipped", "Omitted"])
def test_other_nodes_are_no_tasks(phase: str) -> None:
    found = steps(node("end", phase, kind="Skipped"), {"type": "DAG", "phase": "Running"})
    assert found["end"].phase == "Waiting"


BODY = {
    "entrypoint": "flow",
    "templates": [
        dag("item", task("work"), task("after")),
        dag("start-foreach", {"name": "start-item", "template": "item", "withParam": "[]"}),
        dag("flow", task("start"), fan("start", "start-foreach"), task("merge")),
    ],
}


def in_item(number: int, *nodes: dict[str, Any], phase: str) -> dict[str, Any]:
    """The nodes of one item of the foreach, the DAG first."""
    name = f"item{number}"
    around = {"type": "DAG", "templateName": "item", "phase": phase}
    return {name: around, **{f"{name}-{i}": {**each, "boundaryID": name} for i, each in enumerate(nodes)}}


def left_out(task: str, phase: str) -> dict[str, Any]:
    """A node that Argo keeps for a task that it does not start."""
    return {"type": "Skipped", "displayName": task, "phase": phase}


def of_a_foreach(run: str, *more: dict[str, Any]) -> dict[str, StepProgress]:
    """The steps of a run of BODY with three items, of which the last one has failed at `work`."""
    good = [
        in_item(number, node("work", path=f"-{number}"), node("after", path=f"-{number}"), phase="Succeeded")
        for number in (0, 1)
    ]
    bad = in_item(2, node("work", "Failed", "-2"), *more, phase="Failed")
    nodes = {"flow": {"type": "DAG", "templateName": "flow", "phase": run}, **good[0], **good[1], **bad}
    nodes["start"] = {**node("start", **items(0, 1, 2)), "boundaryID": "flow"}
    status = {"storedWorkflowTemplateSpec": BODY, "nodes": nodes, "phase": run}
    return {step.name: step for step in progress(status)}


@pytest.mark.parametrize("more", [(), (left_out("after", "Omitted"),)])
@pytest.mark.parametrize("run", ["Running", "Failed"])
def test_what_comes_after_a_failure_in_an_item_does_not_run_and_says_so(run: str, more: Any) -> None:
    after = of_a_foreach(run, *more)["after"]
    assert (after.phase, after.tasks, after.expected, after.not_started) == ("Succeeded", 2, 3, 1)


def test_in_a_run_that_has_failed_nothing_waits() -> None:
    assert of_a_foreach("Running")["merge"].phase == "Waiting"
    assert of_a_foreach("Failed")["merge"].phase == "Not started"
    running = of_a_foreach("Failed", node("after", "Running", "-2"))
    assert {name: step.phase for name, step in running.items()} == {
        "start": "Succeeded", "work": "Failed", "after": "Failed", "merge": "Not started",
    }  # fmt: skip


@pytest.mark.parametrize("run", ["Running", "Failed", "Succeeded"])
def test_what_a_switch_passed_by_is_skipped(run: str) -> None:
    nodes = {
        "flow": {"type": "DAG", "templateName": "flow", "phase": run},
        "skipped": {**left_out("merge", "Skipped"), "boundaryID": "flow"},
    }
    status = {"storedWorkflowTemplateSpec": BODY, "nodes": nodes, "phase": run}
    assert {step.name: step.phase for step in progress(status)}["merge"] == "Skipped"


def test_a_step_with_a_condition_after_a_switch_that_did_not_run_was_not_passed_by() -> None:
    choices = {"end": "(choose.Succeeded || choose.Omitted) && (other.Skipped || other.Omitted)"}
    spec = {
        "entrypoint": "flow",
        "templates": [
            dag("flow", task("choose"), *({**task(name), "depends": text} for name, text in choices.items()))
        ],
    }
    for before, word in (("Failed", "Not started"), ("Succeeded", "Skipped")):
        nodes = {
            "flow": {"type": "DAG", "templateName": "flow", "phase": "Running"},
            "c": {**node("choose", before), "displayName": "choose", "boundaryID": "flow"},
            "e": {**left_out("end", "Skipped"), "boundaryID": "flow"},
        }
        status = {"storedWorkflowTemplateSpec": spec, "nodes": nodes, "phase": "Running"}
        assert {step.name: step.phase for step in progress(status)}["end"] == word


def test_before_a_task_has_a_place_its_step_has_no_time() -> None:
    pending = node("start", "Pending", startedAt="2024-01-01T00:00:05Z")
    assert steps(pending)["start"].started_at is None


def test_foreachs_inside_each_other_add_up() -> None:
    spec = {
        "entrypoint": "flow",
        "templates": [
            dag("two-foreach", task("three")),
            dag("one-item", task("two"), fan("two", "two-foreach"), task("join")),
            dag("one-foreach", {"name": "item", "template": "one-item", "arguments": {"parameters": []}}),
            dag("flow", task("one"), fan("one", "one-foreach"), task("end")),
        ],
    }
    found = steps(
        node("one", **items(0, 1)),
        node("two", path="-0", **items(0, 1, 2)),
        node("two", path="-1", **items(0)),
        spec=spec,
    )
    assert [(step.name, step.depth, step.expected) for step in found.values()] == [
        ("one", 0, 1),
        ("two", 1, 2),
        ("three", 2, 4),
        ("join", 1, 2),
        ("end", 0, 1),
    ]


@pytest.mark.parametrize(
    ("messages", "attempts"),
    [
        (["main: Error (exit code 1): ValueError: x"], 1),
        (["main: Error (exit code 1): ValueError: x (attempt 3)"], 3),
        (["ValueError: x (attempt 3)", "ValueError: x (attempt 4)"], 4),
        # The last pod was lost, or ended before there was anything to count.
        (["ValueError: x (attempt 3)", "pod deleted"], 4),
        (["pod deleted", ""], 2),
        (["a user's own (attempt 7) words"], 1),
    ],
)
def test_the_attempts_before_a_retry_of_the_run_count(messages: list[str], attempts: int) -> None:
    """As Metaflow counts them: Argo begins anew."""
    pods = [
        node("start", "Failed", kind="Pod", name=f"start({at})", message=text, nodeFlag={"retried": True})
        for at, text in enumerate(messages)
    ]
    children = [f"n{at}" for at in range(len(pods))]
    for single in (False, True):
        if single and len(pods) > 1:
            continue
        nodes = (
            [{**pods[0], "nodeFlag": {}}]
            if single
            else [*pods, node("start", "Failed", kind="Retry", children=children)]
        )
        (failure,) = steps(*nodes)["start"].failures
        assert failure.attempts == attempts
