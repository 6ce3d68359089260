"""The table of options: what the documents and Argo say of it, and how its configuration is read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from harness import TESTS
from hera.workflows.models import WorkflowSpec

import metaflow_hera
from metaflow_hera.choices.configured import configured
from metaflow_hera.choices.deployment import Choices, CreateOptions
from metaflow_hera.choices.metaflow import MetaflowOptions
from metaflow_hera.choices.option import Option, options_of
from metaflow_hera.errors import ConfigurationError, OptionError
from metaflow_hera.translation.spec_fields import spec_fields

OPTIONS = options_of(CreateOptions)
SAMPLES: dict[str, tuple[str, Any]] = {
    "concurrency_policy": ("Forbid", "Forbid"),
    "events": ("sensor", "sensor"),
    "pod_gc": ("OnPodSuccess", "OnPodSuccess"),
    "archive_logs": ("false", False),
    "metrics": ("true", True),
    "tolerations": ('[{"operator": "Exists"}]', ['{"operator": "Exists"}']),
}
"""Texts of settings, with what they mean, for options that do not take any number, text or KEY=VALUE."""


def test_the_document_has_every_option() -> None:
    text = (TESTS.parent / "docs" / "reference" / "options.md").read_text(encoding="utf-8")
    for name in inspect.signature(metaflow_hera.deploy).parameters:
        assert name == "flow" or f"| `{name}` |" in text


def test_the_signatures_have_every_option_with_its_type_and_default() -> None:
    for function in (metaflow_hera.deploy, metaflow_hera.translate):
        found = inspect.signature(function).parameters
        assert list(found) == ["flow", *(each.name for each in (*OPTIONS, *options_of(MetaflowOptions)))]
        assert (found["max_workers"].default, found["max_workers"].annotation) == (100, int)
        assert (found["archive_logs"].default, found["archive_logs"].annotation) == (None, bool | None)
        assert (found["config"].default, found["config"].annotation) == (None, Mapping[str, str] | None)
        assert "max_workers: How many tasks" in (function.__doc__ or "")


@pytest.mark.parametrize("option", [each for each in OPTIONS if each.field], ids=lambda each: each.name)
def test_a_field_of_the_manifest_is_one_of_argos(option: Option) -> None:
    assert option.field is not None
    root, *path = option.field.split(".")
    assert root == "spec"
    model: Any = WorkflowSpec
    for part in path:
        names = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        assert part in names
        model = next(
            (each for each in getattr(names[part], "__args__", ()) if hasattr(each, "model_fields")), None
        )


def test_every_option_says_where_it_takes_effect() -> None:
    assert [each.name for each in OPTIONS if not each.field and not each.place] == ["authorize"]


@pytest.mark.parametrize("option", [each for each in OPTIONS if each.read], ids=lambda each: each.name)
def test_a_setting_is_read_where_nothing_was_chosen(option: Option) -> None:
    texts: dict[type, tuple[str, Any]] = {
        int: ("7", 7),
        str: ("k=v", ["k=v"] if option.repeatable else "k=v"),
    }
    text, value = SAMPLES.get(option.name) or texts[option.kind]
    settings = {option.name.upper(): text}
    asked = dict.fromkeys(option.only_with[:1], True)
    assert getattr(configured(Choices(**asked), settings.get), option.name) == value
    if option.only_with:
        assert getattr(configured(Choices(), settings.get), option.name) == option.default
    chosen = Choices(**asked, **{option.name: value})
    assert configured(chosen, {option.name.upper(): "another"}.get) == chosen


def test_a_setting_that_cannot_be_read() -> None:
    with pytest.raises(ConfigurationError, match="METAFLOW_HERA_TTL_AFTER_SUCCESS is 'soon'"):
        configured(Choices(), {"TTL_AFTER_SUCCESS": "soon"}.get)
    with pytest.raises(ConfigurationError, match="METAFLOW_HERA_TTL_AFTER_SUCCESS -1 is not valid: give 0"):
        configured(Choices(), {"TTL_AFTER_SUCCESS": "-1"}.get)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"message": 5}, "--message 5 is not valid: give a text."),
        ({"name": ["a"]}, r"--name \['a'\] is not valid: give a text."),
        ({"max_workers": "7"}, "--max-workers '7' is not valid: give a whole number."),
        ({"workflow_timeout": True}, "--workflow-timeout True is not valid: give a whole number."),
    ],
)
def test_a_value_of_another_type(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        CreateOptions(**given)


def test_a_value_that_only_the_manifest_refuses_is_told_with_its_option() -> None:
    fits, does_not = '{"operator": "Exists"}', '{"key": 3}'
    with pytest.raises(OptionError, match=r'--toleration {"key": 3} is not a value that Kubernetes accepts'):
        spec_fields(Choices(tolerations=[fits, does_not], ttl_after_success=0))


def test_metaflows_options_as_words() -> None:
    options = MetaflowOptions(
        decorators=("retry", "catch"),
        datastore="s3",
        production=True,
        config={"file": "x.json"},
        config_value={"a": {"b": [1]}, "c": "text"},
    )
    assert options.words() == [
        *("--with", "retry", "--with", "catch", "--datastore", "s3", "--config", "file", "x.json"),
        *("--config-value", "a", '{"b": [1]}', "--config-value", "c", "text", "--production"),
    ]
