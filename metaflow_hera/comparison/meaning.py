"""What the objects of a version mean to its users: Parameters, schedules, events, and whose it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from metaflow_hera.comparison.records import HIDDEN, FieldChange, ParameterChange, StartChange
from metaflow_hera.comparison.states import State
from metaflow_hera.contract import manifest
from metaflow_hera.contract.objects import CRON, JSON, NOT_JSON

PARAMETER_FIELDS = {"type": "type", "default": "value", "required": "is_required", "help": "description"}
"""What is told of a Parameter, and its key in the template's annotation."""


def parameter_changes(old: State, new: State) -> Iterator[ParameterChange]:
    """The Parameters that differ, those that go first."""
    before, after = parameters_in(old.template), parameters_in(new.template)
    for name in dict.fromkeys((*before, *after)):
        was, will = before.get(name), after.get(name)
        fields = [
            FieldChange(field, (was or {}).get(field), (will or {}).get(field))
            for field in PARAMETER_FIELDS
            if (was or {}).get(field) != (will or {}).get(field)
        ]
        if was is None or will is None:
            yield ParameterChange(name, "added" if was is None else "removed", fields)
        elif fields:
            yield ParameterChange(name, "changed", fields)


def parameters_in(template: JSON | None) -> dict[str, dict[str, Any]]:
    """The Parameters of a version by their names, as its template describes them, if it does."""
    found = _noted(template, manifest.PARAMETERS)
    if not isinstance(found, dict):
        return {}
    return {name: _parameter(about) for name, about in found.items() if isinstance(about, dict)}


def _parameter(about: Mapping[str, Any]) -> dict[str, Any]:
    told = {field: about.get(key) for field, key in PARAMETER_FIELDS.items()}
    if told["type"] == "FilePath" and told["default"] is not None:
        told["default"] = _file(told["default"])
    return {field: value for field, value in told.items() if value not in (None, False)}


def _file(default: Any) -> Any:
    """The file that is the default of an IncludeFile: it is stored under the hash of its content."""
    try:
        stored = json.loads(default)
        digest = str(stored["url"]).rsplit("/", 1)[-1]
        size = f", {stored['size']} bytes" if "size" in stored else ""
    except (*NOT_JSON, TypeError, KeyError):
        return default
    return f"the file with the hash {digest[:12]}{size}"


def start_changes(old: State, new: State) -> Iterator[StartChange]:
    """The schedules and the events that no longer start the flow, and those that will."""
    for kind, find in (("schedule", schedules_in), ("event", events_in)):
        before, after = find(old), find(new)
        for name in before:
            if name not in after:
                yield StartChange(kind, name, "removed")  # type: ignore[arg-type]
        for name in after:
            if name not in before:
                yield StartChange(kind, name, "added")  # type: ignore[arg-type]


def schedules_in(state: State) -> Sequence[str]:
    """The cron expressions that start a version, with their time zones."""
    found = []
    for item in state.objects:
        if item["kind"] == CRON:
            spec = item["spec"]
            zone = spec.get("timezone") or "the zone of Argo's controller"
            expressions = spec.get("schedules") or [spec.get("schedule")]  # Metaflow's plugin has one
            found += [f"{expression} ({zone})" for expression in expressions if expression]
    return found


def events_in(state: State) -> Sequence[str]:
    """The names of the events that start a version."""
    found = _noted(state.template, manifest.TRIGGERS)
    return (
        [str(each.get("name")) for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    )


def about_changes(old: State, new: State) -> Iterator[FieldChange]:
    """Whose it is, and whether its runs go to another production namespace."""
    was, will = _notes(old.template), _notes(new.template)
    if not was or not will:
        return
    if was.get(manifest.OWNER) != will.get(manifest.OWNER):
        yield FieldChange("owner", was.get(manifest.OWNER), will.get(manifest.OWNER))
    if was.get(manifest.PRODUCTION_TOKEN) != will.get(manifest.PRODUCTION_TOKEN):
        yield FieldChange("production token", HIDDEN, HIDDEN)


def _noted(template: JSON | None, key: str) -> Any:
    try:
        return json.loads(_notes(template).get(key) or "null")
    except NOT_JSON:
        return None


def _notes(template: JSON | None) -> Mapping[str, str]:
    return {} if template is None else template["metadata"].get("annotations") or {}
