"""Single rules of Argo's validation, each a function: names, values, the order of tasks, tags in scope."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from typing import Any

from metaflow_hera.embedded.expressions.depends import Depends, parse_depends
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.expressions.variables import tags
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import pod_container

_FIELD_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_FIELD_NAME_ERROR = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
    "(e.g. My-name1-2, 123-NAME)"
)
_PARAMETER_NAME = re.compile(r"[-a-zA-Z0-9_]+")
_PARAMETER_NAME_ERROR = (
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"
)
_FIELD_LENGTH = 128
# What Argo looks up when it validates (GlobalVarValidWorkflowVariablePrefix); any other tag may stand there.
_PREFIXES = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
# What it knows to be there when the time comes (resolveAllVariables).
_LATER = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
)


class Broken(ValueError):
    """An object breaks one of Argo's rules."""


class Unresolved(Broken):
    """A tag or a template that an object refers to is not there.

    A field that the embedded Argo does not implement may be what gives it.
    """


def depends_of(task: JSON, by_name: Mapping[str, JSON]) -> Depends:
    """What one of these tasks waits for."""
    return parse_depends(task, lambda name: by_name.get(name, {}).get("continueOn") or {})


def check_order(tasks: list[JSON], depends: Mapping[str, Depends]) -> None:
    """Duplicates, dependencies on nothing, and cycles (util/sorting/topological_sorting.go)."""
    seen: set[str] = set()
    for task in tasks:
        name = task.get("name") or ""
        if name in seen:
            raise Broken(f"duplicated nodeName {name}")
        seen.add(name)
    waiting: dict[str, int] = {}
    after: dict[str, list[str]] = {}
    for name, entry in depends.items():
        waiting[name] = len(entry.tasks)
        for other in entry.tasks:
            if other not in depends:
                raise Broken(f"invalid dependency {other}")
            after.setdefault(other, []).append(name)
    ready = [name for name, count in waiting.items() if not count]
    for name in ready:
        for other in after.get(name, ()):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    if len(ready) < len(waiting):
        raise Broken("graph with cycle")


def ancestry_of(depends: Mapping[str, Depends]) -> Callable[[str, str], bool]:
    """Tells whether a task comes after another one.

    The sets of ancestors are bits, for a chain of tasks may be long.
    """
    names = list(depends)
    position = {name: index for index, name in enumerate(names)}
    masks: dict[str, int] = {}
    stack = list(names)
    while stack:
        name = stack[-1]
        unknown = [other for other in depends[name].tasks if other not in masks]
        if unknown:
            stack += unknown
            continue
        stack.pop()
        mask = 0
        for other in depends[name].tasks:
            mask |= masks[other] | 1 << position[other]
        masks[name] = mask

    def comes_after(name: str, other: str) -> bool:
        return bool(masks[name] >> position[other] & 1)

    return comes_after


def outputs_of(template: JSON, prefix: str) -> set[str]:
    """The tags for the results of a task with this template."""
    names = {f"{prefix}.{field}" for field in ("id", "startedAt", "finishedAt", "hostNodeName")}
    if pod_container(template) is not None:
        names |= {f"{prefix}.outputs.result", f"{prefix}.exitCode"}
    for parameter in (template.get("outputs") or {}).get("parameters") or ():
        names.add(f"{prefix}.outputs.parameters.{parameter['name']}")
    return names


def nothing_else(tag: str) -> bool:
    """No tag is known besides those in scope."""
    return False


def first_unresolved(value: Any, scope: Set[str], known: Callable[[str], bool] = nothing_else) -> str | None:
    """The first tag that Argo would have to know, and that is neither in scope nor `known` otherwise.

    Argo's resolveAllVariables.
    """
    for raw in tags(value):
        tag = raw.strip()
        if tag.startswith("=") or not tag.startswith(_PREFIXES) or tag in scope or known(tag):
            continue
        if not tag.startswith(_LATER):
            return tag
    return None


def is_count(value: Any) -> bool:
    """Whether a value is a whole number, or a tag that may become one."""
    text = str(value)
    return text.isdigit() or ("{{" in text and "}}" in text)


def check_names(prefix: str, items: list[JSON], wrong: Callable[[str], str | None]) -> None:
    """Each item has a name of its own in which `wrong` finds no fault. Raises Broken."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get("name") or ""
        if not name:
            raise Broken(f"{prefix}[{index}].name is required")
        error = wrong(name)
        if error:
            raise Broken(f"{prefix}[{index}].name: '{name}' is invalid: {error}")
        if name in seen:
            raise Broken(f"{prefix}[{index}].name '{name}' is not unique")
        seen.add(name)


def field_name_error(name: str) -> str | None:
    """What is wrong with the name of a template or a task, or None."""
    errors = [f"must be no more than {_FIELD_LENGTH} characters"] if len(name) > _FIELD_LENGTH else []
    if not _FIELD_NAME.fullmatch(name):
        errors.append(_FIELD_NAME_ERROR)
    return ";".join(errors) or None


def parameter_name_error(name: str) -> str | None:
    """What is wrong with the name of a parameter, or None."""
    return None if _PARAMETER_NAME.fullmatch(name) else _PARAMETER_NAME_ERROR


def check_values(prefix: str, parameters: list[JSON]) -> None:
    """Each argument has a value, one of its choices if there are any. Raises Broken."""
    for parameter in parameters:
        name = parameter["name"]
        if parameter.get("value") is None and parameter.get("valueFrom") is None:
            raise Broken(f"{prefix}{name}.value or {prefix}{name}.valueFrom is required")
        choices = parameter.get("enum")
        if choices is not None:
            if not choices:
                raise Broken(f"{prefix}{name}.enum should contain at least one value")
            if any_string(parameter.get("value")) not in map(any_string, choices):
                raise Broken(f"{prefix}{name}.value should be present in {prefix}{name}.enum list")
