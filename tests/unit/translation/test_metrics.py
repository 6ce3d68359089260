"""What a manifest has Argo's controller emit for Prometheus, by the rules of the controller.

Those are computeMetrics and prepareMetricScope (workflow/controller/operator.go and steps.go), which are the
same in Argo 3.6.0 and 4.1.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from exporting import at, containers, exported, template
from test_golden import CASES

from metaflow_hera.choices.deployment import Choices
from metaflow_hera.translation import metrics

WORKFLOW = {"workflow.namespace": "flows", "workflow.status": "Running", "workflow.duration": "12.5"}
STEP = {**WORKFLOW, "duration": "3.5", "inputs.parameters.step": "work", "inputs.parameters.path": "0"}
NAMES = {"namespace": "flows", "workflow_template": "foreachflow", "flow": "ForeachFlow"}
Emitted = dict[tuple[str, str], float]


def emitted(found: Mapping[str, Any], scope: Mapping[str, str], labels: Mapping[str, str]) -> Emitted:
    """The values by name and status. A variable that is not in the scope is an error, as with Argo."""
    values: Emitted = {}
    for metric in found["prometheus"]:
        known = json.loads(re.sub(r"{{(.*?)}}", lambda tag: scope[tag[1]], json.dumps(metric)))
        own = {each["key"]: each["value"] for each in known["labels"]}
        key = (known["name"], own.pop("status", ""))
        assert own == labels
        left, right = known.get("when", "always == always").split(" == ")
        if left == right and "counter" in known:
            values[key] = values.get(key, 0) + float(known["counter"]["value"])
        elif left == right:
            assert key not in values
            values[key] = float(known["histogram"]["value"])
    return values


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return template(*CASES["metrics"])


def test_a_name_keeps_its_help_and_bounds() -> None:
    """The controller refuses what differs from the first it saw, of whichever version of this package."""
    assert metrics.HELP == {
        "metaflow_runs_total": "Runs of a Metaflow flow that have ended, by status.",
        "metaflow_run_duration_seconds": (
            "Seconds from the start to the end of runs of a Metaflow flow that succeeded."
        ),
        "metaflow_step_attempts_total": (
            "Pods of a Metaflow step that have ended, by status; each attempt is a pod."
        ),
        "metaflow_step_duration_seconds": (
            "Seconds until a pod of a Metaflow step succeeded, from the start of its first attempt."
        ),
    }
    assert metrics.BUCKETS == (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)


def test_a_run_that_succeeds_is_counted_and_timed(manifest: dict[str, Any]) -> None:
    assert emitted(manifest["spec"]["metrics"], {**WORKFLOW, "workflow.status": "Succeeded"}, NAMES) == {
        ("metaflow_runs_total", "Failed"): 0,
        ("metaflow_runs_total", "Error"): 0,
        ("metaflow_runs_total", "Succeeded"): 1,
        ("metaflow_run_duration_seconds", ""): 12.5,
    }


@pytest.mark.parametrize(("status", "other"), [("Failed", "Error"), ("Error", "Failed")])
def test_a_run_that_fails_is_counted_only(manifest: dict[str, Any], status: str, other: str) -> None:
    assert emitted(manifest["spec"]["metrics"], {**WORKFLOW, "workflow.status": status}, NAMES) == {
        ("metaflow_runs_total", other): 0,
        ("metaflow_runs_total", status): 1,
    }


def test_each_pod_counts_for_the_step_that_it_is_of(manifest: dict[str, Any]) -> None:
    """The scope is that of a failed attempt, which has the fewest variables: no `retries`, no `exitCode`."""
    of_pods = containers(manifest).values()
    assert len(of_pods) == 2
    for each in of_pods:
        labels = {**NAMES, "step": "work"}
        assert emitted(each["metrics"], {**STEP, "status": "Failed"}, labels) == {
            ("metaflow_step_attempts_total", "Failed"): 1,
            ("metaflow_step_attempts_total", "Error"): 0,
        }
        assert emitted(each["metrics"], {**STEP, "status": "Succeeded"}, labels) == {
            ("metaflow_step_attempts_total", "Failed"): 0,
            ("metaflow_step_attempts_total", "Error"): 0,
            ("metaflow_step_attempts_total", "Succeeded"): 1,
            ("metaflow_step_duration_seconds", ""): 3.5,
        }


def test_only_steps_count() -> None:
    """Not the DAGs, of which the entrypoint's would count with each run, and not the pods of exit hooks."""
    found = template("hooked_flow.py", "--metrics")["spec"]
    counted = {each["name"]: each for each in found["templates"] if "metrics" in each}
    assert counted.keys() == {"task", "task-foreach"}
    assert found["onExit"]
    assert len(containers({"spec": found})) > len(counted)


def test_without_the_option_there_are_none() -> None:
    assert Choices().metrics is None
    plain = exported("linear_flow.py")
    assert "metrics" not in plain
    assert exported("linear_flow.py", "--no-metrics") == plain


def test_the_configuration_turns_them_on_and_the_option_off(tmp_path: Path) -> None:
    command = at(tmp_path)
    command.take("linear_flow.py")
    command.env["METAFLOW_HERA_METRICS"] = "1"
    args = ("create", "linear_flow.py", "--only-json", "--new-token", "token-0")
    assert "metaflow_runs_total" in command.ok(*args)
    assert "metaflow_runs_total" not in command.ok(*args, "--no-metrics")
