"""What mutators make of the decorators of a step is what is deployed."""

from __future__ import annotations

from typing import Any

import pytest
from exporting import at, containers, exported, objects, tasks

FLOW = "mutated_flow.py"


def steps(text: str) -> dict[str, dict[str, Any]]:
    """The container template of each step."""
    manifest = objects(text)[0]
    found = containers(manifest)
    return {
        each["arguments"]["parameters"][0]["value"]: found[each["template"]]
        for each in tasks(manifest).values()
        if each["template"] in found
    }


def requests(template: dict[str, Any]) -> tuple[str, str]:
    asked = template["container"]["resources"]["requests"]
    return asked["cpu"], asked["memory"]


@pytest.mark.parametrize(
    ("options", "usual"), [((), ("1", "4096M")), (("--with", "kubernetes:cpu=4,memory=6000"), ("4", "6000M"))]
)
def test_decorators_that_mutators_replace_and_remove(options: tuple[str, ...], usual: Any) -> None:
    found = steps(exported(FLOW, *options))
    larger = {"start": ("3", "5000M"), "by_flow": ("7", "4096M")}
    if options:
        larger = {"start": ("4", "6000M"), "by_flow": ("7", "6000M")}
    expected = {**dict.fromkeys(found, usual), **larger, "late": ("2", "8192M")}
    if options:  # removed with all other decorators
        expected |= {"stripped": ("1", "4096M"), "bare": ("1", "4096M")}
    assert {step: requests(each) for step, each in found.items()} == expected
    variables = {each["name"]: each.get("value") for each in found["env"]["container"]["env"]}
    assert variables["A"] == "mutated"
    limits = {step: each["retryStrategy"]["limit"] for step, each in found.items() if "retryStrategy" in each}
    assert limits == {"again": "2", "patient": "4"}


def test_the_same_by_the_flow_itself(tmp_path: Any) -> None:
    command = at(tmp_path)
    command.take(FLOW)
    done = command.python(FLOW, "hera", "create", "--only-json", "--new-token", "token-0")
    assert done.returncode == 0, done.stderr
    ours = steps(done.stdout)
    theirs = steps(exported(FLOW))
    for step in theirs:
        assert requests(ours[step]) == requests(theirs[step])
        assert ours[step].get("retryStrategy") == theirs[step].get("retryStrategy")
