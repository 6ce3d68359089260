"""YAML as it is exported: easy to read, and the same object after every parser."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
import yaml
from exporting import exported
from ruamel.yaml import YAML

from metaflow_hera.translation.yaml_text import to_yaml

BARE = [
    *(
        "start",
        "metaflow/flow_name",
        "argoproj.io/v1alpha1",
        "/mnt/data/a-b",
        "-c",
        "--quiet",
        "100Mi",
        "5m",
    ),
    *("it's", "a:b", "a#b", "Tags for this run, a JSON list", "s3://bucket/key", "größer", "x=1", "no way"),
    *(".metaflow", "python:3.12"),
]
QUOTED = [
    *("yes", "No", "ON", "off", "y", "N", "true", "False", "null", "NULL", "~", "", " ", "-", "?", ":", "="),
    *(
        "1",
        "-1",
        "+1",
        "1.5",
        ".5",
        "1.",
        "1e3",
        "1E-5",
        "1e9",
        "0x1F",
        "0o17",
        "017",
        "0b11",
        "1_000",
        "-_1",
    ),
    *("12:30:45", "1:20", "2024-01-01", "2024-01-01 10:00:00", "2001-12-15T02:59:43.1Z", "127.0.0.1", "<<"),
    *(".inf", "-.inf", "+.INF", ".nan", "inf", "-inf", "NaN", "Infinity", "...", "---", "--- a"),
    *(" a", "a ", "a: b", "a:", "a #b", "#a", "{{workflow.name}}", "argo-{{workflow.name}}", "{a}", "[a]"),
    *("*", "*a", "&a", "!a", "|", ">", "@a", "`a`", "%a", '"a"', "'a'", "a && b", "0 3 * * *", "- a", "? a"),
    *(
        "\t",
        "a\tb",
        "\x1b",
        "\u2028",
        "\ufeffa",
        "\x85",
        "\xa0",
        "a\xa0",
        "\U0001f600",
        "\\",
        "a\r",
        "a\r\nb",
    ),
    '{"a": "b"}',
]
BLOCKS = [
    "import os\nprint(1)",
    "a\n",
    "a\n\n",
    "a\n\n\nb\n\n\n",
    "#!/bin/sh\n# yes\n---\nkey: 'x'\n\n  indented\n",
    "{{a}}\n*b",
]
NO_BLOCKS = ["\n", "\na", " a\nb", "a \nb", "a\n \nb", "a\tb\nc", "a\nb\x07", "a\n  ", "a\n\n "]


def assert_same(value: Any) -> str:
    """Demand that each parser reads what was written: YAML 1.1, 1.2, and 1.2 said by the document."""
    text = to_yaml(value)
    assert yaml.safe_load(text) == value, text
    for version in ("1.1", "1.2"):
        parser = YAML(typ="safe", pure=True)
        parser.version = version
        assert parser.load(io.StringIO(text)) == value, (version, text)
    return text


@pytest.mark.parametrize("text", BARE)
def test_what_nobody_misreads_is_bare(text: str) -> None:
    assert assert_same({text: [text]}) == f"{text}:\n- {text}\n"


@pytest.mark.parametrize("text", QUOTED)
def test_what_somebody_may_misread_is_quoted(text: str) -> None:
    assert_same({text: [text, {"a": text}]})
    assert to_yaml({"a": text})[len("a: ")] in "\"'"


@pytest.mark.parametrize("text", BLOCKS)
def test_a_script_is_a_block(text: str) -> None:
    document = assert_same({"args": ["-c", text], "last": text})
    assert document.count("|") == 2
    assert all(line.strip() in document for line in text.splitlines())


@pytest.mark.parametrize("text", NO_BLOCKS)
def test_what_a_block_does_not_show_is_quoted(text: str) -> None:
    assert "|" not in assert_same({"a": text})


def test_any_mixture_is_the_same_after_every_parser() -> None:
    pieces = [*BARE, *QUOTED, *BLOCKS, *NO_BLOCKS, *"\n ':#-,?!&*|>%@`{}[]\"\\0eE.+_~="]
    chance = random.Random(4)
    made = ["".join(chance.choices(pieces, k=chance.randint(1, 4))) for _ in range(150)]
    values = [1, -2, 1.5, 1e20, True, False, None, {}, [], [[]], {"a": {}}]
    assert_same({text: [text, {"key": text}] for text in made} | {"values": values})


def test_the_same_object_twice_is_written_twice() -> None:
    same = {"name": "x"}
    assert "&" not in assert_same({"a": same, "b": [same, same]})


def test_an_export_has_bare_keys_and_quotes_where_they_are_needed() -> None:
    lines = exported("types_flow.py", form="yaml").splitlines()
    assert lines[:3] == ["apiVersion: argoproj.io/v1alpha1", "kind: WorkflowTemplate", "metadata:"]
    assert '      metaflow/run_id: "argo-{{workflow.name}}"' in lines
    assert "      - |-" in lines
