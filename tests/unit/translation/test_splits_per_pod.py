"""--splits-per-pod in the manifest: which pods Argo starts again, and how long they may take."""

from __future__ import annotations

from typing import Any

import pytest
from exporting import containers, tasks, template

from metaflow_hera.embedded.expressions.language import compile_expression


def again(expression: str, code: str, duration: str, retries: int) -> bool:
    values = {"lastRetry.exitCode": code, "lastRetry.duration": duration, "retries": str(retries)}
    return bool(compile_expression(expression)(lambda path: values[".".join(path)]))


def range_template(*options: str) -> dict[str, Any]:
    found = containers(template("foreach_flow.py", *options))
    (name,) = [each for each in found if "shared" in each]
    return found[name]


@pytest.mark.parametrize(
    ("code", "duration", "retries", "expected"),
    [
        ("4", "0", 50, True),  # it says that a task has an attempt left
        ("3", "9", 0, False),  # it says that none has
        ("137", "0", 50, True),
        ("143", "0", 50, True),
        ("-1", "30", 50, True),  # evicted, or its node is gone
        ("-1", "0", 1, True),
        ("-1", "0", 2, False),  # it cannot be created
        ("1", "30", 1, True),  # it does not come to its tasks
        ("1", "30", 2, False),
    ],
)
def test_argo_starts_a_pod_again_as_long_as_a_task_has_an_attempt(
    code: str, duration: str, retries: int, expected: bool
) -> None:
    strategy = range_template("--splits-per-pod", "10", "--with", "retry:times=2")["retryStrategy"]
    assert again(strategy["expression"], code, duration, retries) is expected
    assert strategy["limit"] == "29"
    assert strategy["backoff"] == {"duration": "2m"}


def test_without_retries_a_killed_pod_goes_on_all_the_same() -> None:
    strategy = range_template("--splits-per-pod", "10")["retryStrategy"]
    assert strategy["limit"] == "9"
    assert "backoff" not in strategy
    assert again(strategy["expression"], "137", "5", 3)
    assert not again(strategy["expression"], "1", "5", 0)


def test_a_pod_may_take_the_time_of_all_its_tasks() -> None:
    found = range_template("--splits-per-pod", "1000", "--with", "timeout:minutes=10")
    assert int(found["activeDeadlineSeconds"]) >= 1000 * 600
    assert (
        int(
            range_template("--splits-per-pod", "2147483647", "--with", "timeout:hours=9")[
                "activeDeadlineSeconds"
            ]
        )
        == 2**31 - 1
    )


def test_one_task_a_pod_is_as_without() -> None:
    assert template("foreach_flow.py", "--splits-per-pod", "1") == template("foreach_flow.py")


def test_a_foreach_may_be_left_out_of_the_number_for_all() -> None:
    given = ("--splits-per-pod", "10", "--splits-per-pod", "start=1")
    assert template("foreach_flow.py", *given) == template("foreach_flow.py")


def test_the_number_of_a_step_comes_before_that_for_all() -> None:
    found = template("splits_flow.py", "--splits-per-pod", "10", "--splits-per-pod", "row=5")
    numbers = {
        each["name"]: each["value"]
        for container in containers(found).values()
        for each in container["container"]["env"]
        if each["name"] == "METAFLOW_HERA_SPLITS_PER_POD"
    }
    assert numbers == {"METAFLOW_HERA_SPLITS_PER_POD": "2"} or set(numbers.values()) <= {"2", "5"}
    arguments = {
        name: {each["name"]: each.get("value") for each in task["arguments"]["parameters"]}
        for name, task in tasks(found).items()
    }
    assert arguments["row-foreach/cell"]["split-range"] == "{{item}}"
    assert arguments["start-foreach/start-item"]["path"].endswith("-{{item}}")
