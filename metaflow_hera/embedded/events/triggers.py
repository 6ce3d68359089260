"""A trigger of a sensor: when it fires, and which workflow it then creates."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from metaflow_hera.embedded.events.paths import MISSING, find, replaced, text_of
from metaflow_hera.embedded.expressions.gotemplate import TemplateError, render
from metaflow_hera.embedded.expressions.when import holds
from metaflow_hera.embedded.json_object import JSON

NAME = re.compile(r"[\w-]+")


def condition(trigger: JSON, dependencies: Collection[str]) -> str:
    """The condition of a trigger; without one, it needs all dependencies of the sensor."""
    return str(trigger["template"].get("conditions") or " && ".join(dependencies))


def needs_several(text: str) -> bool:
    """Whether what has arrived must be kept until more arrives, by the test that Argo Events uses."""
    return "&" in text


def names_in(text: str) -> list[str]:
    """The dependencies that a condition names."""
    return list(dict.fromkeys(NAME.findall(text)))


def is_met(text: str, arrived: Collection[str]) -> bool:
    """Whether the condition holds with what has arrived. Raises WhenError for one that cannot be read."""
    return holds(NAME.sub(lambda match: str(match.group() in arrived).lower(), text), {})


def source_of(trigger: JSON) -> JSON:
    """The resource that a trigger creates. Raises ValueError if the text holds none."""
    kind = trigger["template"].get("k8s") or trigger["template"].get("argoWorkflow") or {}
    source = kind.get("source") or {}
    found = source.get("resource")
    if found is None:
        try:
            found = yaml.safe_load(source.get("inline") or "")
        except yaml.YAMLError as error:
            raise ValueError(f"failed to unmarshal the inline resource: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != "Workflow":
        raise ValueError("only the creation of a Workflow is implemented by the embedded Argo")
    return found


def parameters_of(trigger: JSON) -> list[JSON]:
    """What a trigger copies from its events into the resource."""
    kind = trigger["template"].get("k8s") or trigger["template"].get("argoWorkflow") or {}
    return kind.get("parameters") or []


def workflow_of(trigger: JSON, events: Mapping[str, Any]) -> JSON:
    """The workflow to create from the data of events, given by dependency."""
    workflow = copy.deepcopy(source_of(trigger))
    for parameter in parameters_of(trigger):
        value = _value(parameter["src"], events)
        if value is None:
            continue
        present = find(workflow, parameter["dest"])
        if parameter.get("operation") in ("append", "prepend") and present is not MISSING:
            text = text_of(present)
            value = text + value if parameter["operation"] == "append" else value + text
        replaced(workflow, parameter["dest"], value)
    return workflow


def _value(source: JSON, events: Mapping[str, Any]) -> str | None:
    """The value of a parameter, from its event (ResolveParamValue in sensors/triggers/params.go)."""
    default: str | None = source.get("value")
    if source["dependencyName"] not in events:
        return default
    data = events[source["dependencyName"]]
    if source.get("dataTemplate"):
        try:
            text = render(source["dataTemplate"], {"Input": data})
            if text not in ("", "<no value>"):
                return text
        except TemplateError:
            pass  # then the key or the default counts
    if source.get("dataKey"):
        found = find(data, source["dataKey"])
        if found is not MISSING:
            return text_of(found)
    return default if default is not None else text_of(data)
