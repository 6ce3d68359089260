"""The Parameters of a flow as the embedded Argo's page shows them: as they were given, and no others."""

from __future__ import annotations

import json

import pytest

from metaflow_hera.contract.manifest import OWN_PARAMETERS
from metaflow_hera.contract.values import encode
from metaflow_hera.embedded.page.parameters import asked, given

VALUES = [
    "",
    "nulls",
    "null",
    "base64:x",
    "0.5",
    "{{b}}",
    "$HOME",
    "\x00\x1f",
    "stray \udc80",
    "é €",
    "[1, 2]",
]
OWN = [{"name": name, "value": "[]"} for name in OWN_PARAMETERS]


def parameter(value: str | None) -> dict[str, str]:
    return {"name": "a", "value": encode(value)}


def deployment(*parameters: dict[str, str]) -> dict[str, object]:
    return {
        "metadata": {"annotations": {"metaflow/parameters": json.dumps({"a": {}, "b": {}})}},
        "spec": {"arguments": {"parameters": [*parameters, *OWN]}},
    }


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_shown_as_it_was_given(value: str) -> None:
    assert given([parameter(value), *OWN]) == [{"name": "a", "value": value}]
    (field,) = asked(deployment(parameter(value)))
    assert (field["value"], field["required"], field["encoded"]) == (value, False, True)


def test_a_parameter_without_a_value_is_asked_for_and_shown_in_no_run() -> None:
    assert given([parameter(None), *OWN]) == []
    optional, required = asked(deployment(parameter(None), {"name": "b"}))
    assert (optional["value"], optional["required"]) == (None, False)
    assert (required["value"], required["required"]) == (None, True)


def test_a_value_in_no_form_stays_as_it_is() -> None:
    by_hand = {"name": "a", "value": "base64:not base64"}
    assert given([by_hand, *OWN]) == [{"name": "a", "value": "base64:not base64"}]


def test_the_parameters_of_other_workflows_stay_as_they_are() -> None:
    assert given([parameter("$HOME")]) == [{"name": "a", "value": encode("$HOME")}]
