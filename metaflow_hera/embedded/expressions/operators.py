"""What the operators and functions of the expression language do with values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metaflow_hera.embedded.expressions import regexp

Lookup = Callable[[Sequence[str]], Any]
Expression = Callable[[Lookup], Any]


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the message is that of the language."""


class UnsupportedExpression(ExpressionError):
    """An expression that uses a part of the language which is not implemented."""


class Missing(Exception):
    """A name that the environment does not have."""


def indexed(value: Expression, index: Expression) -> Expression:
    """`value[index]`."""

    def get(env: Lookup) -> Any:
        container, key = value(env), index(env)
        try:
            return container[key]
        except (KeyError, IndexError, TypeError) as error:
            raise ExpressionError(f"cannot fetch {key} from {type(container).__name__}") from error

    return get


def as_bool(value: Any) -> bool:
    """The value if it is a boolean; nothing else counts as one. Raises ExpressionError."""
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"invalid operation: {format_value(value)} is not a boolean")


def as_number(value: Any) -> Any:
    """The value if it is a number. Raises ExpressionError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"invalid operation: {format_value(value)} is not a number")
    return value


def apply(name: str, value: Any) -> Any:
    """Call one of the language's functions. Raises ExpressionError."""
    try:
        if name in ("asInt", "int"):
            return (
                int(value) if not isinstance(value, str) or re.fullmatch(r"[+-]?\d+", value) else _no(value)
            )
        if name in ("asFloat", "float"):
            return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ExpressionError(f'cannot parse "{value}" as a number') from error
    return format_value(value)


def _no(value: str) -> Any:
    raise ValueError(value)


def _remainder(left: Any, right: Any) -> int:
    sign = -1 if left < 0 else 1
    return int(sign * (abs(left) % abs(right)))


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return as_number(left) + as_number(right)


def _ordered(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    return as_number(left), as_number(right)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _within(left: Any, right: Any) -> bool:
    if not isinstance(right, (list, Mapping, str)):
        raise ExpressionError(f'operator "in" not defined on {format_value(right)}')
    return left in right


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": _equal,
    "!=": lambda a, b: not _equal(a, b),
    "<": lambda a, b: (lambda p: p[0] < p[1])(_ordered(a, b)),
    ">": lambda a, b: (lambda p: p[0] > p[1])(_ordered(a, b)),
    "<=": lambda a, b: (lambda p: p[0] <= p[1])(_ordered(a, b)),
    ">=": lambda a, b: (lambda p: p[0] >= p[1])(_ordered(a, b)),
    "in": _within,
    "not in": lambda a, b: not _within(a, b),
    "matches": lambda a, b: regexp.found(b, a),
    "contains": lambda a, b: b in a,
    "startsWith": lambda a, b: a.startswith(b),
    "endsWith": lambda a, b: a.endswith(b),
    "+": _add,
    "-": lambda a, b: as_number(a) - as_number(b),
    "*": lambda a, b: as_number(a) * as_number(b),
    "/": lambda a, b: float(as_number(a)) / as_number(b),
    "%": lambda a, b: _remainder(as_number(a), as_number(b)),
}


def combine(operator: str, left: Expression, right: Expression) -> Expression:
    """The expression of a binary operator and its operands."""
    if operator == "??":
        return lambda env: _coalesce(env, left, right)
    if operator in ("||", "or"):
        return lambda env: as_bool(left(env)) or as_bool(right(env))
    if operator in ("&&", "and"):
        return lambda env: as_bool(left(env)) and as_bool(right(env))
    operation = _OPERATIONS[operator]

    def run(env: Lookup) -> Any:
        try:
            return operation(left(env), right(env))
        except (TypeError, AttributeError, ZeroDivisionError, OverflowError, regexp.RegexpError) as error:
            raise ExpressionError(f"cannot evaluate '{operator}': {error}") from error

    return run


def _coalesce(env: Lookup, left: Expression, right: Expression) -> Any:
    try:
        value = left(env)
    except Missing:
        value = None
    return right(env) if value is None else value


def format_value(value: Any) -> str:
    """A result as Go's `%v` prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, list):
        return "[" + " ".join(map(format_value, value)) + "]"
    return str(value)


def format_float(value: float) -> str:
    """A float as Go's `%v` prints it: shortest digits, an exponent below 1e-4 and from 1e21."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        if mantissa.endswith(".0"):
            mantissa = mantissa[:-2]
        return f"{mantissa}e{exponent[0] if exponent[0] in '+-' else '+'}{exponent.lstrip('+-').zfill(2)}"
    return text
