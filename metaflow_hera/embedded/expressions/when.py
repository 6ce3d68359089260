"""`when` of a DAG task: a condition as govaluate reads it, with bare words as strings.

Argo's shouldExecute (workflow/controller/operator.go): the value of a variable is its name. No `eval`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from metaflow_hera.embedded.expressions import regexp
from metaflow_hera.embedded.expressions.language import format_value, past_space


class WhenError(ValueError):
    """A condition that cannot be read or evaluated; the message is the one Argo puts on the node."""


class _EvaluationError(ValueError):
    pass


class _Token(NamedTuple):
    kind: str
    value: Any


class _Node(NamedTuple):
    kind: str
    operator: str
    parts: tuple[Any, ...]


_LEX = re.compile(
    r"""(?:
      (?P<hex>0[xX][0-9a-fA-F]+)
    | (?P<number>[0-9][0-9.]*)
    | (?P<word>[^\W\d][\w.]*)
    | (?P<bracketed>\[[^\]]*\])
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<clause>\()
    | (?P<close>\))
    | (?P<separator>,)
    | (?P<symbol>[=!<>&|^~+\-*/%?:]+)
    )""",
    re.VERBOSE | re.DOTALL,
)

_COMPARATORS = {"==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"}
_MATCHES = {"=~", "!~"}
_LOGICAL = {"&&", "||"}
_MODIFIERS = {"+", "-", "*", "/", "%", "**"}
_PREFIXES = {"-", "!"}
_VALUES = {"NUMERIC", "BOOLEAN", "VARIABLE", "STRING", "TIME"}

# What may follow what (govaluate's lexerState.go).
_STARTS = frozenset({"PREFIX", "CLAUSE", *_VALUES})
_FOLLOWS = frozenset({"MODIFIER", "COMPARATOR", "LOGICALOP", "CLAUSE_CLOSE", "SEPARATOR"})

_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")


def should_execute(when: str) -> bool:
    """Whether the condition holds; an empty one does. Raises WhenError."""
    if not when:
        return True
    tree = _parse(when)
    try:
        result = _evaluate(tree, {})
    except (_EvaluationError, RecursionError) as error:
        raise WhenError(f"Failed to evaluate 'when' expresion '{when}': {error}") from error
    if not isinstance(result, bool):
        raise WhenError(f"Expected boolean evaluation for '{when}'. Got {format_value(result)}")
    return result


def holds(expression: str, values: Mapping[str, Any]) -> bool:
    """Whether a condition of a Sensor holds with values for its variables. Raises WhenError."""
    try:
        result = _evaluate(_parse(expression), values)
    except (_EvaluationError, RecursionError) as error:
        raise WhenError(str(error)) from error
    return result is True


@lru_cache(maxsize=4096)
def _parse(when: str) -> _Node:
    try:
        return _Parser(_lex(when)).parse()
    except (_EvaluationError, RecursionError) as error:
        hint = (
            ' (hint: try wrapping the affected expression in quotes ("))'
            if "Invalid token" in str(error)
            else ""
        )
        raise WhenError(f"Invalid 'when' expression '{when}': {error}{hint}") from error


def _lex(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    state, last = "UNKNOWN", None
    depth = 0
    while (at := past_space(text, at)) < len(text):
        match = _LEX.match(text, at)
        if match is None or match.lastgroup is None:
            rest = text[at]
            if rest in "'\"":
                raise _EvaluationError("Unclosed string literal")
            raise _EvaluationError(f"Invalid token: '{rest}'")
        token = _token(match.lastgroup, match.group(match.lastgroup), state)
        at = match.end()
        expected = _STARTS if state in _OPENERS else _FOLLOWS
        empty_clause = state == "CLAUSE" and token.kind == "CLAUSE_CLOSE"
        if token.kind not in expected and not empty_clause:
            raise _EvaluationError(
                f"Cannot transition token types from {state} [{format_value(last)}]"
                f" to {token.kind} [{format_value(token.value)}]"
            )
        depth += {"CLAUSE": 1, "CLAUSE_CLOSE": -1}.get(token.kind, 0)
        tokens.append(token)
        state, last = token
    if depth:
        raise _EvaluationError("Unbalanced parenthesis")
    if state in _OPENERS:
        raise _EvaluationError("Unexpected end of expression")
    _check_patterns(tokens)
    return tokens


def _check_patterns(tokens: list[_Token]) -> None:
    """A pattern that is written out is read with the expression (optimizeTokens), any other one later."""
    for sign, token in pairwise(tokens):
        if sign.kind == "COMPARATOR" and sign.value in _MATCHES and token.kind == "STRING":
            try:
                regexp.check(token.value)
            except regexp.RegexpError as error:
                raise _EvaluationError(str(error)) from error


_OPENERS = {"UNKNOWN", "PREFIX", "MODIFIER", "COMPARATOR", "LOGICALOP", "CLAUSE", "SEPARATOR"}


def _token(group: str, text: str, state: str) -> _Token:
    if group in ("hex", "number"):
        try:
            return _Token("NUMERIC", float(int(text, 16) if group == "hex" else text))
        except (ValueError, OverflowError) as error:
            raise _EvaluationError(f"Unable to parse numeric value '{text}' to float64\n") from error
    if group == "word":
        if text in ("true", "false"):
            return _Token("BOOLEAN", text == "true")
        return _Token("COMPARATOR", "in") if text in ("in", "IN") else _Token("VARIABLE", text)
    if group == "bracketed":
        return _Token("VARIABLE", text[1:-1])
    if group == "string":
        value = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        moment = _moment(value)
        return _Token("STRING", value) if moment is None else _Token("TIME", moment)
    if group in ("clause", "close", "separator"):
        return _Token({"clause": "CLAUSE", "close": "CLAUSE_CLOSE", "separator": "SEPARATOR"}[group], text)
    if state in _OPENERS and text in _PREFIXES:
        return _Token("PREFIX", text)
    for kind, symbols in (("MODIFIER", _MODIFIERS), ("LOGICALOP", _LOGICAL), ("COMPARATOR", _COMPARATORS)):
        if text in symbols:
            return _Token(kind, text)
    raise _EvaluationError(f"Invalid token: '{text}'")


def _moment(text: str) -> float | None:
    """Seconds since the epoch of a quoted date; govaluate compares dates as numbers."""
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


_LEVELS = (
    ("LOGICALOP", ("||",)),
    ("LOGICALOP", ("&&",)),
    ("COMPARATOR", tuple(_COMPARATORS)),
    ("MODIFIER", ("+", "-")),
    ("MODIFIER", ("*", "/", "%")),
    ("MODIFIER", ("**",)),
)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = [*tokens, _Token("END", None)]
        self.at = 0

    def parse(self) -> _Node:
        tree = self.list()
        if self.tokens[self.at].kind != "END":
            raise _EvaluationError("Unbalanced parenthesis")
        return tree

    def list(self) -> _Node:
        items = [self.level(0)]
        while self.tokens[self.at].kind == "SEPARATOR":
            self.at += 1
            items.append(self.level(0))
        return items[0] if len(items) == 1 else _Node("list", ",", tuple(items))

    def level(self, index: int) -> _Node:
        if index == len(_LEVELS):
            return self.prefix()
        kind, symbols = _LEVELS[index]
        left = self.level(index + 1)
        while self.tokens[self.at].kind == kind and self.tokens[self.at].value in symbols:
            symbol = self.tokens[self.at].value
            self.at += 1
            left = _Node(kind, symbol, (left, self.level(index + 1)))
        return left

    def prefix(self) -> _Node:
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "PREFIX":
            return _Node("PREFIX", token.value, (self.prefix(),))
        if token.kind == "CLAUSE":
            if self.tokens[self.at].kind == "CLAUSE_CLOSE":
                self.at += 1
                return _Node("value", "", (None,))
            inner = self.list()
            self.at += 1
            return inner
        return _Node("variable" if token.kind == "VARIABLE" else "value", "", (token.value,))


def _evaluate(node: _Node, values: Mapping[str, Any]) -> Any:
    if node.kind == "value":
        return node.parts[0]
    if node.kind == "variable":
        return values.get(node.parts[0], node.parts[0])
    if node.kind == "list":
        return [_evaluate(part, values) for part in node.parts]
    left = _evaluate(node.parts[0], values)
    if node.kind == "PREFIX":
        return _negate(node.operator, left)
    if node.kind == "LOGICALOP":
        if left is (node.operator == "||"):
            return left
        right = _evaluate(node.parts[1], values)
        for value in (left, right):
            if not isinstance(value, bool):
                raise _unusable(value, "logical operator", node.operator, "bool")
        return right
    right = _evaluate(node.parts[1], values)
    return (
        _compare(node.operator, left, right)
        if node.kind == "COMPARATOR"
        else _modify(node.operator, left, right)
    )


def _unusable(value: Any, role: str, symbol: str, wanted: str) -> _EvaluationError:
    return _EvaluationError(
        f"Value '{format_value(value)}' cannot be used with the {role} '{symbol}', it is not a {wanted}"
    )


def _negate(symbol: str, value: Any) -> Any:
    wanted, kind = ("bool", bool) if symbol == "!" else ("number", float)
    if not isinstance(value, kind):
        raise _unusable(value, "prefix", symbol, wanted)
    return not value if symbol == "!" else -value


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(symbol: str, left: Any, right: Any) -> bool:
    if symbol in ("==", "!="):
        return (type(left) is type(right) and left == right) is (symbol == "==")
    if symbol in _MATCHES:
        for value in (left, right):
            if not isinstance(value, str):
                raise _unusable(value, "comparator", symbol, "string")
        try:
            return regexp.found(right, left) is (symbol == "=~")
        except regexp.RegexpError as error:
            raise _EvaluationError(f"Unable to compile regexp pattern '{right}': {error}") from error
    if symbol == "in":
        if not isinstance(right, list):
            raise _unusable(right, "comparator", symbol, "array")
        return any(type(left) is type(item) and left == item for item in right)
    if not (isinstance(left, str) and isinstance(right, str)):
        for value in (left, right):
            if not isinstance(value, float):
                raise _unusable(value, "comparator", symbol, "number")
    return _ORDER[symbol](left, right)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": lambda a, b: (1 if a >= 0 else -1) * (abs(a) % abs(b)),
    "**": operator.pow,
}


def _modify(symbol: str, left: Any, right: Any) -> Any:
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        return format_value(left) + format_value(right)
    for value in (left, right):
        if not isinstance(value, float):
            raise _unusable(value, "modifier", symbol, "number")
    try:
        return _ARITHMETIC[symbol](left, right)
    except (ArithmeticError, TypeError) as error:
        raise _EvaluationError(str(error)) from error
