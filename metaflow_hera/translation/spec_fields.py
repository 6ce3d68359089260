"""How operators want workflows to run: lifetime, scheduling, labels and the like, as Argo's fields."""

from __future__ import annotations

from typing import Any

from hera.workflows.models import WorkflowSpec
from pydantic import ValidationError

from metaflow_hera.choices.checks import pairs
from metaflow_hera.choices.deployment import Choices
from metaflow_hera.choices.option import Option, options_of
from metaflow_hera.contract.manifest import USER_KEYS
from metaflow_hera.errors import OptionError


def spec_fields(choices: Choices) -> dict[str, Any]:
    """The arguments of Hera's WorkflowTemplate for the options that are a field of the manifest."""
    wanted: dict[str, Any] = {}
    placed: dict[tuple[str, ...], Option] = {}
    for option in options_of(type(choices)):
        value = getattr(choices, option.name)
        if option.field is None or value in (None, (), []):
            continue
        _, *path = option.field.split(".")
        placed[tuple(path)] = option
        *parents, last = path
        inner = wanted
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = option.check(option.flag, value)
    try:
        spec = WorkflowSpec.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(choices, placed, first["loc"], first["msg"]) from error
    return {name: getattr(spec, name) for name in spec.model_fields_set}


def _refused(
    choices: Choices, placed: dict[tuple[str, ...], Option], where: tuple[int | str, ...], why: str
) -> OptionError:
    """The error for a value that a field of the manifest does not accept."""
    path, option = next((path, option) for path, option in placed.items() if where[: len(path)] == path)
    value = getattr(choices, option.name)
    if option.repeatable and isinstance(where[len(path)], int):
        value = value[where[len(path)]]
    return OptionError(f"{option.flag} {value} is not a value that Kubernetes accepts: {why}.")


def labels_of(choices: Choices) -> dict[str, str]:
    """The user's own labels of runs and pods."""
    return pairs("--label", choices.labels)


def annotations_of(choices: Choices) -> dict[str, str]:
    """The user's own annotations of runs and pods."""
    return pairs("--annotation", choices.annotations)


def user_keys(choices: Choices) -> dict[str, str]:
    """The annotation that notes which labels and annotations are the user's own."""
    keys = ",".join([*labels_of(choices), *annotations_of(choices)])
    return {USER_KEYS: keys} if keys else {}
