"""A manifest in which anything is of another type is refused, and never breaks what reads it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from metaflow_hera.embedded.rules.validation import Invalid, normalise, validate_workflow

POD: Any = {
    "name": "pod",
    "inputs": {"parameters": [{"name": "p", "default": "1"}]},
    "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/o", "default": ""}}]},
    "container": {
        "image": "x",
        "command": ["true"],
        "args": ["{{inputs.parameters.p}}"],
        "env": [{"name": "E", "value": "v"}],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "resources": {"limits": {"memory": "1Gi"}},
    },
    "volumes": [{"name": "v", "emptyDir": {}}],
    "retryStrategy": {"limit": 1, "expression": "true", "backoff": {"duration": "1", "factor": 2}},
}
TASK: Any = {
    "name": "a",
    "template": "pod",
    "arguments": {"parameters": [{"name": "p", "value": "{{item}}"}]},
}
SPEC: Any = {
    "entrypoint": "main",
    "onExit": "wait",
    "arguments": {"parameters": [{"name": "p", "value": "1", "enum": ["1"]}]},
    "parallelism": 2,
    "workflowMetadata": {"labels": {"a": "b"}},
    "templateDefaults": {"container": {"image": "x"}},
    "templates": [
        POD,
        {"name": "wait", "suspend": {"duration": "1"}},
        {"name": "say", "script": {"image": "x", "command": ["sh"], "source": "true"}},
        {"name": "steps", "steps": [[{**TASK, "withParam": "[1]", "continueOn": {"failed": True}}]]},
        {
            "name": "main",
            "dag": {
                "tasks": [
                    {**TASK, "withItems": [{"k": 1}]},
                    {"name": "b", "template": "steps", "depends": "a", "when": "1 == 1"},
                    {**TASK, "name": "c", "withSequence": {"count": "1"}},
                ]
            },
        },
    ],
}
VALUES = (None, 1, 1.5, True, "text", [], [1], ["x"], [[]], {}, {"a": 1}, [{}], [None], "{{=1", "{{x")


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from paths(part, (*path, key))


def with_value(path: tuple[Any, ...], value: Any) -> Any:
    spec = copy.deepcopy(SPEC)
    holder = spec
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return spec


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_other_value_is_read_or_refused(value: Any) -> None:
    refused = 0
    for path in paths(SPEC):
        try:
            spec = normalise({"spec": with_value(path, value)})["spec"]
            validate_workflow({"metadata": {"name": "x"}, "spec": spec})
        except Invalid:
            refused += 1
    assert refused > 20


def test_it_is_accepted_as_it_stands() -> None:
    validate_workflow({"metadata": {"name": "x"}, "spec": normalise({"spec": SPEC})["spec"]})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("parallelism",), "2", "cannot unmarshal string into Go struct field parallelism of type int64"),
        (("suspend",), "yes", "cannot unmarshal string into Go struct field suspend of type bool"),
        (
            ("templates", 0, "container", "env", 0, "value"),
            1,
            "cannot unmarshal number into Go struct field templates[0].container.env[0].value of type string",
        ),
        (
            ("templates", 0, "retryStrategy", "limit"),
            1.5,
            "cannot unmarshal number into Go struct field templates[0].retryStrategy.limit of type "
            "IntOrString",
        ),
        (
            ("nodeSelector",),
            {"disk": True},
            "cannot unmarshal bool into Go struct field nodeSelector.disk of type string",
        ),
        (("affinity",), "x", "cannot unmarshal string into Go struct field affinity of type Affinity"),
    ],
)
def test_the_type_that_argo_has(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        normalise({"spec": with_value(path, value)})
    assert str(refused.value) == f"json: {message}"


def test_values_of_parameters_and_quantities_are_taken_as_argo_takes_them() -> None:
    spec = with_value(("arguments", "parameters", 0, "value"), {"a": [1]})
    spec["templates"][0]["container"]["resources"]["limits"] = {"cpu": 1, "memory": "1Gi"}
    normal = normalise({"spec": spec})["spec"]
    assert normal["arguments"]["parameters"][0]["value"] == '{"a":[1]}'
    assert normal["templates"][0]["container"]["resources"]["limits"] == {"cpu": 1, "memory": "1Gi"}


def test_fields_that_argo_does_not_know_are_dropped() -> None:
    spec = {**SPEC, "nosuch": 1, "templates": [{**POD, "container": {**POD["container"], "nosuch": 1}}]}
    normal = normalise({"spec": spec})["spec"]
    assert "nosuch" not in normal
    assert "nosuch" not in normal["templates"][0]["container"]
