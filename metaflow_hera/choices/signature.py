"""The signature and the help of a function that takes the options of a table as keywords."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from metaflow_hera.choices.option import Option


def note_options(
    function: Callable[..., Any], options: Sequence[Option], line: Callable[[Option], str]
) -> None:
    """Let `inspect.signature` and `help` show each option in place of the function's `**keywords`.

    In its docstring a line that begins with "options" is replaced by what `line` returns for each option.
    """
    signature = inspect.signature(function)
    given = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.hint
        )
        for option in options
    ]
    vars(function)["__signature__"] = signature.replace(parameters=[*given, *keywords])
    lines: list[str] = []
    for each in (function.__doc__ or "").splitlines():
        if not each.lstrip().startswith("options"):
            lines.append(each)
            continue
        indent = each[: len(each) - len(each.lstrip())]
        lines += [indent + part for option in options for part in line(option).splitlines()]
    function.__doc__ = "\n".join(lines)
