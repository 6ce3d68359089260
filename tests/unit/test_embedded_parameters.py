"""The Parameters of a flow as the embedded Argo's page shows them: as they were given, and no others."""

from __future__ import annotations

import json

import pytest

from metaflow_hera.contract.environment import parameter_variable
from metaflow_hera.contract.manifest import OWN_PARAMETERS
from metaflow_hera.contract.values import BOOLEANS, cannot_travel, encode, misfit
from metaflow_hera.embedded.page.parameters import asked, given, misfits

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


def typed(**types: str) -> dict[str, object]:
    """A deployment with Parameters of these types, in this order."""
    parameters = [{"name": name, "value": "false"} for name in types]
    notes = {"metaflow/parameters": json.dumps({name: {"type": kind} for name, kind in types.items()})}
    return {
        "metadata": {"annotations": notes},
        "spec": {"arguments": {"parameters": [*parameters, *OWN]}},
    }


def test_the_form_asks_in_the_order_of_the_template_and_names_the_types() -> None:
    fields = asked(typed(zeta="int", alpha="bool", mid="JSON"))
    assert [(field["name"], field["type"]) for field in fields] == [
        ("zeta", "int"), ("alpha", "bool"), ("mid", "JSON"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", [*sorted(BOOLEANS), "TRUE", "maybe"])
def test_a_switch_is_on_where_the_command_line_says_true(text: str) -> None:
    template = typed(flag="bool")
    template["spec"]["arguments"]["parameters"][0]["value"] = text  # type: ignore[index]
    (field,) = asked(template)
    assert field["on"] == (text.lower() in ("1", "true", "t", "yes", "y", "on"))


@pytest.mark.parametrize("kind", ["str", "int", "float", "bool", "JSON", "FilePath", ""])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1",
        " 2 ",
        "1_000",
        "1.5",
        "1e5",
        "nan",
        "-inf",
        "0x10",
        "True",
        "OFF",
        "2",
        "{}",
        "{",
        "null",
    ],
)
def test_what_is_typed_is_checked_by_the_rule_of_the_command_line(kind: str, text: str) -> None:
    wanted = misfit(kind, text)
    found = misfits(typed(a=kind), {"a": text})
    assert found == ({} if wanted is None else {"a": f"It must be {wanted}."})


@pytest.mark.parametrize(
    "text",
    [
        "x" * 131_055,
        "x" * 131_056,
        "ü" * 65_527,
        "ü" * 65_528,
        "$" + "x" * 98_279,
        "$" + "x" * 98_283,
        "x{{" + "x" * 98_280,
        "base64:" + "x" * 98_278,
        "x base64:" + "x" * 120_000,
        "null\n" + "x" * 131_050,
        "\x7f" + "x" * 131_050,
        "a\0b",
        "half \ud83d",
        b"no text: \xff".decode("utf-8", "surrogateescape"),
        "null",
    ],
)
def test_what_no_pod_can_be_given_is_refused_by_the_rule_of_the_command_line(text: str) -> None:
    wrong = cannot_travel(parameter_variable("a"), text)
    found = misfits(typed(a="str"), {"a": text})
    assert found == ({} if wrong is None else {"a": f"It {wrong}."})


def test_what_is_typed_for_a_workflow_that_is_no_flow_s_is_left_to_argo() -> None:
    template = {"metadata": {}, "spec": {"arguments": {"parameters": [{"name": "a"}]}}}
    assert misfits(template, {"a": "x" * 200_000}) == {}
