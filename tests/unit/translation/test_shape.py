"""Points of the translation that decide whether a controller runs the flow as it is meant."""

from __future__ import annotations

import json
import re

import pytest
from exporting import containers, exported, objects, tasks, template
from test_golden import CASES

WORDS = {"matches", "contains", "let", "nil", "true", "false", "in", "not", "and", "or"}


def test_steps_of_the_same_shape_share_a_template() -> None:
    assert list(containers(template("linear_flow.py"))) == ["task"]
    assert list(containers(template("mixed_flow.py"))) == ["task", "task-foreach"]


def test_a_step_waits_for_all_that_lead_to_it() -> None:
    depends = {name: task.get("depends") for name, task in tasks(template("split_flow.py")).items()}
    assert depends == {
        "flow/start": None,
        "flow/left": "start.Succeeded",
        "flow/right": "start.Succeeded",
        "flow/both": "left.Succeeded && right.Succeeded",
        "flow/end": "both.Succeeded",
    }


def test_where_a_switch_may_have_led_elsewhere_a_step_looks_at_the_edges_taken() -> None:
    found = tasks(template("switch_flow.py"))
    chosen = "'{{tasks.quick.outputs.parameters.next}}' == '%s'"
    assert found["flow/work"]["depends"] == "quick.Succeeded"
    assert found["flow/work"]["when"] == chosen % "work"
    assert found["flow/done"]["depends"] == (
        "(quick.Succeeded || quick.Skipped || quick.Omitted)"
        " && (work.Succeeded || work.Skipped || work.Omitted)"
    )
    assert found["flow/done"]["when"] == chosen % "done" + " || '{{tasks.work.status}}' == 'Succeeded'"
    # Whatever was chosen inside of its branches, the join waits for one step of each.
    assert found["flow/both"]["depends"] == "collect.Succeeded && done.Succeeded"
    assert "when" not in found["flow/both"]
    assert found["flow/collect"]["depends"] == "each-foreach.Succeeded"


def test_a_loop_is_one_pod_that_argo_does_not_start_again_once_its_attempts_are_used_up() -> None:
    made = template("loop_flow.py")
    pod = next(each for each in made["spec"]["templates"] if each["name"] == "task-loop-retry")
    assert pod["retryStrategy"] == {
        "limit": "1",
        "retryPolicy": "Always",
        "expression": "lastRetry.exitCode != '3'",
    }
    assert [output["name"] for output in pod["outputs"]["parameters"]] == ["next", "iterations"]


def test_a_foreach_is_bounded_by_a_template_of_its_own() -> None:
    made = template("foreach_flow.py", "--max-workers", "7")
    fan = next(each for each in made["spec"]["templates"] if each["name"] == "start-foreach")
    (task,) = fan["dag"]["tasks"]
    assert fan["parallelism"] == 7
    assert task["withParam"] == "{{inputs.parameters.items}}"
    assert "parallelism" not in made["spec"]
    assert tasks(made)["flow/collect"]["depends"] == "start-foreach.Succeeded"


def test_a_foreach_has_100_workers_by_default() -> None:
    made = template("deep_flow.py")
    limits = {
        each["name"]: each["parallelism"] for each in made["spec"]["templates"] if "parallelism" in each
    }
    assert limits == {"start-foreach": 100, "outer-foreach": 100, "middle-foreach": 100}


def test_paths_grow_by_an_index_for_each_foreach() -> None:
    paths = {
        argument["value"]
        for task in tasks(template("deep_flow.py")).values()
        for argument in task["arguments"]["parameters"]
        if argument["name"] == "path"
    }
    assert paths == {"{{inputs.parameters.path}}-{{item}}", "{{inputs.parameters.path}}"}


def test_retries_are_where_something_retries_and_nowhere_else() -> None:
    made = template("retry_flow.py", "--with", "retry")
    pods = containers(made)
    of = {
        argument["value"]: pods[task["template"]].get("retryStrategy")
        for task in tasks(made).values()
        for argument in task["arguments"]["parameters"]
        if argument["name"] == "step"
    }
    usual = {"limit": "3", "retryPolicy": "Always", "backoff": {"duration": "2m"}}
    assert {
        step: strategy and {**strategy, "limit": str(strategy["limit"])} for step, strategy in of.items()
    } == {
        "start": usual,
        "once": None,
        "often": {**usual, "limit": "4", "backoff": {"duration": "1m"}},
        "caught": {"limit": "4", "retryPolicy": "Always"},  # Metaflow's @catch asks for three of its own
        "end": usual,
    }
    for pod in pods.values():
        # Without a strategy the word would stay as it is.
        assert ("{{retries}}" in json.dumps(pod)) == ("retryStrategy" in pod)


@pytest.mark.parametrize("name", CASES)
def test_no_text_of_the_users_is_expanded_by_argo_or_kubernetes(name: str) -> None:
    """All tags are the controller's own, and no environment value has a dollar sign."""
    ours = re.compile(
        r"\{\{(workflow\.(name|namespace|status|duration|parameters\.[\w-]+)"
        r"|inputs\.parameters\.(step|path|items|outcome|split-range)|item|retries|status|duration"
        r"|tasks\.[\w-]+\.(status|outputs\.parameters\.(items|next)))\}\}"
    )
    for item in objects(exported(*CASES[name])):
        for each in item["spec"].get("templates", ()):
            assert "{{" not in ours.sub("", json.dumps(each)), each["name"]
            for variable in each.get("container", {}).get("env", ()):
                assert "$" not in (variable.get("value") or "")
        for key in ("arguments", "workflowMetadata", "podMetadata", "metrics"):
            assert "{{" not in ours.sub("", json.dumps(item["spec"].get(key)))


def test_words_of_argos_expressions_are_no_names_of_tasks() -> None:
    made = template("names_flow.py")
    names = [name.split("/")[1] for name in tasks(made)]
    assert not WORDS & set(names)
    for task in tasks(made).values():
        assert not WORDS & set(re.findall(r"[\w-]+", task.get("depends") or ""))
    steps = {
        argument["value"]
        for task in tasks(made).values()
        for argument in task["arguments"]["parameters"]
        if argument["name"] == "step"
    }
    assert {"matches", "in_", "contains", "let", "nil", "hidden", "hidden_"} <= steps


@pytest.mark.parametrize("name", CASES)
def test_names_are_legal_and_different(name: str) -> None:
    for item in objects(exported(*CASES[name])):
        if item["kind"] != "WorkflowTemplate":
            continue
        templates = item["spec"]["templates"]
        for group in (
            [each["name"] for each in templates],
            *([t["name"] for t in each["dag"]["tasks"]] for each in templates if "dag" in each),
        ):
            assert len({one.lower() for one in group}) == len(group)
            assert all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", one) for one in group)


def test_labels_are_legal_and_annotations_have_the_rest() -> None:
    metadata = template("linear_flow.py")["metadata"]
    assert metadata["labels"]["metaflow/flow_name"] == "LinearFlow"
    assert metadata["labels"]["metaflow/owner"] == "tester"
    assert metadata["annotations"]["metaflow/production_token"] == "token-0"
    assert metadata["annotations"]["workflows.argoproj.io/description"] == "One step after the other."


def test_a_schedule_is_a_cron_workflow_in_its_time_zone() -> None:
    _, cron = objects(exported("schedule_flow.py"))
    assert cron["kind"] == "CronWorkflow"
    assert cron["spec"]["schedules"] == ["0 10 * * MON-FRI"]
    assert cron["spec"]["timezone"] == "Europe/Helsinki"
    assert cron["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] == "scheduleflow"


def test_a_deploy_time_function_is_evaluated_at_create() -> None:
    parameter, *_ = template("deploy_time_flow.py")["spec"]["arguments"]["parameters"]
    assert parameter["value"] == "DeployTimeFlow by tester"


def test_a_required_parameter_has_no_value() -> None:
    found = {p["name"]: p for p in template("required_flow.py")["spec"]["arguments"]["parameters"]}
    assert "value" not in found["alpha"]
    assert found["count"]["value"] == "1"
