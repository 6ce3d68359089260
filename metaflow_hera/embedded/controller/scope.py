"""`tasks.*` for a task of a DAG: the results of its ancestors (buildLocalScopeFromTask in Argo's dag.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metaflow_hera.embedded.controller.execution import Execution
from metaflow_hera.embedded.expressions.gojson import GoJSONError, Number, any_string, dumps, loads
from metaflow_hera.embedded.expressions.variables import MissingVariable, SubstitutionError, substitute
from metaflow_hera.embedded.expressions.when import WhenError, should_execute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import is_task_group

ABSENT = object()


def task_value(run: Execution, node: JSON, rest: str) -> Any:
    """The value of `tasks.NAME.REST`: a string, None for none, or ABSENT.

    ABSENT is an output that a skipped task does not have and has no default for.
    """
    if node["type"] == "TaskGroup":
        return _aggregate(run, node, rest)
    template_name = node["templateName"]
    if node["type"] == "Retry":
        attempts = [key for key in node.get("children", ()) if key in run.nodes.by_id]
        if attempts:
            node = run.nodes.by_id[attempts[-1]]
    if rest.startswith("outputs.parameters."):
        return _output(run, node, template_name, rest[len("outputs.parameters.") :])
    if rest == "outputs.result":
        return (node.get("outputs") or {}).get("result")
    if rest == "exitCode":
        return (node.get("outputs") or {}).get("exitCode")
    fields = {"status": "phase", "id": "id", "startedAt": "startedAt", "finishedAt": "finishedAt"}
    return node.get(fields[rest]) if rest in fields else None


def _output(run: Execution, node: JSON, template_name: str, name: str) -> Any:
    for parameter in (node.get("outputs") or {}).get("parameters") or ():
        if parameter["name"] == name:
            return any_string(parameter.get("value"))
    if node.get("outputs") is None and node["phase"] in ("Skipped", "Omitted"):
        template = run.template(template_name) or {}
        for parameter in (template.get("outputs") or {}).get("parameters") or ():
            if parameter["name"] == name:
                default = any_string((parameter.get("valueFrom") or {}).get("default"))
                return ABSENT if default is None else default
    return None


def _aggregate(run: Execution, group: JSON, rest: str) -> str | None:
    """The outputs of a TaskGroup as a JSON list, in the order of its items (processAggregateNodeOutputs)."""
    if rest == "outputs.result":
        return _results(run, group)
    if rest != "outputs.parameters" and not rest.startswith("outputs.parameters."):
        return None
    wanted = rest[len("outputs.parameters.") :]
    values: list[str] = []
    maps: list[dict[str, str]] = []
    for node in _succeeded(run, group):
        parameters = (node.get("outputs") or {}).get("parameters") or ()
        if not wanted and parameters:
            maps.append({p["name"]: any_string(p.get("value")) or "" for p in parameters})
        values += [any_string(p.get("value")) or "" for p in parameters if p["name"] == wanted]
    if not wanted:
        return dumps(maps)
    if not values:
        return None
    return dumps(_parsed(values) or values)


def _results(run: Execution, group: JSON) -> str:
    """The standard outputs of a TaskGroup; one that is not JSON counts as text."""
    items: list[Any] = []
    for node in _succeeded(run, group):
        result = (node.get("outputs") or {}).get("result")
        if result is not None:
            try:
                items.append(loads(result))
            except GoJSONError:
                items.append(result)
    return dumps(items)


def _succeeded(run: Execution, group: JSON) -> Iterator[JSON]:
    for key in group.get("children", ()):
        node = run.nodes.by_id.get(key)
        if node is not None and node["phase"] == "Succeeded":
            yield node


def _parsed(values: list[str]) -> list[Any] | None:
    """The values as JSON, if all of them are lists or maps."""
    parsed: list[Any] = []
    for value in values:
        if value.lstrip()[:1] not in ("[", "{"):
            return None
        try:
            parsed.append(_floats(loads(value)))
        except GoJSONError:
            return None
    return parsed


def _floats(value: Any) -> Any:
    """Numbers as Go writes them after reading them into an interface: as floats."""
    if isinstance(value, Number):
        number = float(value)
        return Number(str(int(number)) if number == int(number) and abs(number) < 1e21 else repr(number))
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    return [_floats(item) for item in value] if isinstance(value, list) else value


class TaskScope:
    """Resolves the tags of one task of a DAG, or of a step."""

    __slots__ = ("_ancestors", "_prefix", "_run")

    def __init__(self, run: Execution, ancestors: Any, prefix: str = "tasks.") -> None:
        """`ancestors` gives the node of an ancestor by the task's name, or None for another task."""
        self._run = run
        self._ancestors = ancestors
        self._prefix = prefix

    def look_up(self, tag: str) -> Any:
        """The value of a tag, None, or ABSENT."""
        if tag.startswith(self._prefix):
            name, _, rest = tag[len(self._prefix) :].partition(".")
            node = self._ancestors(name)
            return None if node is None else task_value(self._run, node, rest)
        return self._run.globals.resolve(tag)

    def resolve(self, tag: str) -> str | None:
        """The value of a tag, or None if this scope does not know it.

        Raises MissingVariable for a task's value that is not there, SubstitutionError for one that
        never will be.
        """
        value = self.look_up(tag)
        if value is ABSENT:
            raise SubstitutionError(
                f"unable to substitute {{{{{tag}}}}}: output is an absent optional "
                "(skipped/omitted node with no default)"
            )
        if value is None and tag.startswith(("tasks", "steps")):
            raise MissingVariable(f"failed to resolve {{{{{tag}}}}}")
        text: str | None = value
        return text

    def is_absent(self, text: str) -> bool:
        """Whether a value is nothing but a reference to an output that is ABSENT."""
        if not (text.startswith("{{") and text.endswith("}}")) or "{{" in text[2:-2]:
            return False
        return self.look_up(text[2:-2].strip()) is ABSENT


def resolve_references(run: Execution, body: JSON, scope: TaskScope) -> JSON:
    """A task or step with its tags replaced (resolveDependencyReferences, resolveReferences).

    Where it will not run, its condition alone is replaced. Raises SubstitutionError, MissingVariable for a
    value that is not there, and WhenError.
    """
    if body.get("when"):
        when = substitute(body["when"], scope.resolve)
        try:
            runs = should_execute(when)
        except WhenError:
            if not is_task_group(body):  # one that expands may ask for its items
                raise
        else:
            if not runs:
                return {**body, "when": when}
    parameters = (body.get("arguments") or {}).get("parameters")
    if parameters:
        kept = [p for p in parameters if not _dropped(run, body, p, scope)]
        if len(kept) < len(parameters):
            body = {**body, "arguments": {**body["arguments"], "parameters": kept}}
    resolved: JSON = substitute(body, scope.resolve)
    return resolved


def _dropped(run: Execution, body: JSON, parameter: JSON, scope: TaskScope) -> bool:
    """Whether an argument is an absent output for which the template's input has a default."""
    value = any_string(parameter.get("value"))
    if value is None or not value.startswith("{{") or not scope.is_absent(value):
        return False
    template = run.template(body.get("template", "")) or {}
    inputs = (template.get("inputs") or {}).get("parameters") or ()
    return any(
        each["name"] == parameter["name"]
        and (each.get("value") is not None or each.get("default") is not None)
        for each in inputs
    )
