"""Values for a run are checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_hera.argo.parameters import checked
from metaflow_hera.contract.values import decode
from metaflow_hera.errors import ParameterError


def declared(**kinds: str) -> dict[str, dict[str, Any]]:
    """Parameters with defaults, by type."""
    return {name: {"type": kind, "value": "1", "is_required": False} for name, kind in kinds.items()}


ALL = declared(text="str", number="int", ratio="float", flag="bool", table="JSON")


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("text", "a=b\nc", "a=b\nc"),
        ("text", "", ""),
        ("text", 3, "3"),
        ("number", "12", "12"),
        ("number", -3, "-3"),
        ("ratio", "1e-05", "1e-05"),
        ("ratio", 2, "2"),
        ("flag", "TRUE", "TRUE"),
        ("flag", False, "false"),
        ("flag", "off", "off"),
        ("table", '{"a": [1]}', '{"a": [1]}'),
        ("table", {"a": [1, None]}, '{"a": [1, null]}'),
        ("table", [], "[]"),
    ],
)
def test_values_that_fit(name: str, value: Any, sent: str) -> None:
    assert checked({name: value}, ALL) == [f"{name}={sent}"]


@pytest.mark.parametrize("value", ["$(HOME)", "{{workflow.name}}", "null", "base64:x"])
def test_values_that_argo_would_read_otherwise_are_encoded(value: str) -> None:
    (sent,) = checked({"text": value}, ALL)
    assert sent != f"text={value}"
    assert decode(sent.removeprefix("text=")) == value


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("number", "1.5", "an int, not '1.5'"),
        ("number", "", "an int"),
        ("number", True, "an int"),
        ("ratio", "abc", "a float, not 'abc'"),
        ("flag", "maybe", "a boolean"),
        ("flag", "2", "a boolean"),
        ("table", "{", "JSON text"),
        ("table", "", "JSON text"),
    ],
)
def test_values_of_the_wrong_type(name: str, value: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words) as error:
        checked({name: value}, ALL)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("text", ["x" * 100_000, "[" * 100_000, "9" * 5000])
def test_of_a_long_value_a_message_repeats_the_beginning(text: str) -> None:
    kind = "number" if text[0] == "9" else "table"
    with pytest.raises(ParameterError, match=r"Parameter '(number|table)' must be") as refused:
        checked({kind: text}, ALL)
    assert f"not '{text[:100]}...'." in str(refused.value)
    assert len(str(refused.value)) < 200


def test_unknown_names_are_told_the_near_ones() -> None:
    with pytest.raises(ParameterError, match="did you mean alpha"):
        checked({"alhpa": "1"}, declared(alpha="float", beta="float"))
    with pytest.raises(ParameterError, match="the flow has none"):
        checked({"alpha": "1"}, {})
    with pytest.raises(ParameterError, match="the flow has alpha, beta"):
        checked({"zzz": "1"}, declared(alpha="float", beta="float"))


def test_required_ones_must_be_given() -> None:
    needed = {"alpha": {"type": "float", "value": None, "is_required": True}}
    with pytest.raises(ParameterError, match="--param alpha=VALUE"):
        checked({}, needed)
    with pytest.raises(ParameterError, match="--param alpha=VALUE"):
        checked({"alpha": None}, needed)
    assert checked({"alpha": "1"}, needed) == ["alpha=1"]
    assert checked({}, {"alpha": {**needed["alpha"], "value": "0.1"}}) == []


def test_a_value_for_an_include_file_is_refused() -> None:
    with pytest.raises(ParameterError, match="IncludeFile"):
        checked({"data": "x"}, declared(data="FilePath"))


def test_no_value_at_all_can_be_given_for_an_optional_one() -> None:
    assert checked({"text": None}, ALL) == ["text=null"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a\0b", "has a NUL character (\\u0000)"),
        ("half \ud83d", "has half a character (\\ud83d)"),
        (
            "x" * 131_072,
            "has 131072 bytes, and the environment of a pod takes at most 131052 for it: declare an IncludeF",
        ),
        ("ü" * 70_000, "has 140000 bytes,"),
        ("$" + "x" * 98_303, "has 131079 bytes as base64,"),
    ],
)
def test_what_no_pod_can_be_given_is_refused_by_name(value: str, words: str) -> None:
    with pytest.raises(ParameterError) as refused:
        checked({"text": value}, ALL)
    assert str(refused.value).startswith(f"The value of Parameter 'text' {words}")
    assert len(str(refused.value)) < 300


def test_what_a_pod_can_just_be_given_is_taken() -> None:
    for value in ("x" * 131_052, "$" + "x" * 98_275, b"no text: \xff".decode("utf-8", "surrogateescape")):
        assert checked({"text": value}, ALL)
