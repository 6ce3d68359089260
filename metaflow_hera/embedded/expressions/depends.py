"""`depends` of a DAG task, and the older `dependencies`: which tasks to wait for, and whether to run.

The rules are those of workflow/common/ancestry.go and of evaluateDependsLogic in
workflow/controller/dag.go of Argo Workflows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from metaflow_hera.embedded.expressions.language import (
    Expression,
    ExpressionError,
    compile_expression,
    format_value,
    located,
)

RESULTS = (
    "Succeeded",
    "Failed",
    "Errored",
    "Skipped",
    "Omitted",
    "Daemoned",
    "AnySucceeded",
    "AllFailed",
)

_TASK = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_RESULT = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)")


class Depends(NamedTuple):
    """The dependencies of a task in the order in which it names them, and the full rule ("" for none).

    `items` are the dependencies named with .AnySucceeded or .AllFailed, which need a TaskGroup.
    """

    tasks: tuple[str, ...]
    rule: str
    items: frozenset[str]


def parse_depends(task: Mapping[str, Any], continue_on: Callable[[str], Mapping[str, Any]]) -> Depends:
    """Read `depends` or `dependencies` of a task.

    `continue_on` gives the `continueOn` of a task by name ({} if there is none), which widens
    what a bare name means.
    """
    text = task.get("depends") or ""
    if not text:
        text = " && ".join(_expand(name, continue_on(name)) for name in task.get("dependencies") or ())
    tasks: dict[str, bool] = {}
    parts: list[str] = []
    end = 0
    for match in _TASK.finditer(text):
        if match.group(1) is not None:
            name, result = match.group(1).split(".", 1)
            tasks[name] = tasks.get(name, False) or result in ("AnySucceeded", "AllFailed")
        else:
            name = match.group(2)
            tasks[name] = False
            parts += [text[end : match.start()], _expand(name, continue_on(name))]
            end = match.end()
    rule = "".join(parts) + text[end:]
    return Depends(tuple(tasks), rule, frozenset(name for name, items in tasks.items() if items))


def invalid_result(depends: str) -> tuple[str, str] | None:
    """The first (result, task) of a `depends` with a result that Argo does not know."""
    for match in _RESULT.finditer(depends):
        name, result = match.group(1).split(".", 1)
        if result not in RESULTS:
            return result, name
    return None


def evaluate(rule: str, results: Callable[[str], Mapping[str, bool]]) -> bool:
    """Whether a task runs, given the results of what it depends on.

    `results` says for a dependency which of RESULTS are true. Raises ExpressionError with the
    message that Argo puts on the node.
    """
    source = rule.replace("-", "_")

    def lookup(path: Sequence[str]) -> Any:
        values = results(path[0])
        if len(path) == 1:
            return values
        if path[1] not in values:
            at = source.find(f"{path[0]}.{path[1]}") + len(path[0]) + 1
            raise ExpressionError(located(f"type dag.TaskResults has no field {path[1]}", source, at))
        return values[path[1]]

    try:
        expression: Expression = compile_expression(source)
        value = expression(lookup)
    except ExpressionError as error:
        raise ExpressionError(f"unable to evaluate expression '{source}': {error}") from error
    if not isinstance(value, bool):
        raise ExpressionError(
            f"unable to evaluate expression '{source}': unable to cast expression result "
            f"'{format_value(value)}' to bool"
        )
    return value


def _expand(name: str, continue_on: Mapping[str, Any]) -> str:
    results = ["Succeeded", "Skipped", "Daemoned"]
    if continue_on.get("error"):
        results.append("Errored")
    if continue_on.get("failed"):
        results.append("Failed")
    return "(" + " || ".join(f"{name}.{result}" for result in results) + ")"
