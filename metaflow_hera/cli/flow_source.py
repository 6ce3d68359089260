"""What the text of a flow's script says by itself, without running it: quick, and not the whole truth."""

from __future__ import annotations

import ast
from pathlib import Path

CALLS = frozenset({"Parameter", "IncludeFile"})


def parameters_in(script: Path) -> dict[str, str]:
    """The names of the Parameters that a script writes out, with "bool" for those of that type."""
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node.func) in CALLS:
            given = {word.arg: word.value for word in node.keywords}
            name = node.args[0] if node.args else given.get("name")
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                default = given.get("default")
                is_bool = _name_of(given.get("type")) == "bool" or (
                    isinstance(default, ast.Constant) and isinstance(default.value, bool)
                )
                found[name.value] = "bool" if is_bool else ""
    return found


def _name_of(expression: ast.expr | None) -> str | None:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else None
