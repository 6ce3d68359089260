"""A small part of the expression language that Argo uses in `depends`, `{{=...}}` and retry rules.

Comparison, logic, arithmetic, `?:`, `??`, `in`, string and number literals, lists, member and index
access, and the functions asInt, asFloat, int, float and string. Syntax errors have the words and the
pointer of github.com/expr-lang/expr, since they end up in the message of a node.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from metaflow_hera.embedded.expressions.operators import (
    Expression,
    ExpressionError,
    Lookup,
    Missing,
    UnsupportedExpression,
    apply,
    as_bool,
    as_number,
    combine,
    format_float,
    format_value,
    indexed,
)

__all__ = [
    "Expression",
    "ExpressionError",
    "Lookup",
    "Missing",
    "UnsupportedExpression",
    "compile_expression",
    "format_float",
    "format_value",
    "located",
]

# Words that the lexer reads as operators (parser/lexer/state.go), so that no name can be one of them.
OPERATOR_WORDS = frozenset({"in", "not", "and", "or", "let", "matches", "contains", "startsWith", "endsWith"})
# Parts of the language that are read as such and refused by name: pipes, ranges, powers, maps and closures.
NOT_IMPLEMENTED = frozenset({"|", "?.", "..", "**", "^", ";", "=", "{", "}", "#"})
FUNCTIONS = frozenset({"asInt", "asFloat", "int", "float", "string"})


class _Token(NamedTuple):
    kind: str
    value: str
    at: int

    def __str__(self) -> str:
        return "EOF" if self.kind == "EOF" else f'{self.kind}("{self.value}")'


_LEX = re.compile(
    r"""(?:
      (?P<Number>(?:\d[\d_]*(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<Identifier>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<String>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    | (?P<Bracket>[()\[\]{}])
    | (?P<Operator>&&|\|\||==|!=|<=|>=|\?\?|\?\.|\*\*|\.\.|[-+*/%<>!?:,.|;=^\#])
    )""",
    re.VERBOSE,
)


def located(message: str, source: str, at: int) -> str:
    """A message with the place in the source, as expr's `file.Error` writes it."""
    before = source[:at]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1)
    text = source.split("\n")[line - 1].replace("\t", " ")
    pointer = "" if any(ord(c) > 127 for c in text[: column + 1]) else f"\n | {'.' * column}^"
    return f"{message} ({line}:{column + 1})\n | {text}{pointer}"


def _lex(source: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while (at := past_space(source, at)) < len(source):
        match = _LEX.match(source, at)
        if match is None or match.lastgroup is None:
            name = source[at]
            raise ExpressionError(located(f"unrecognized character: U+{ord(name):04X} '{name}'", source, at))
        kind, value = match.lastgroup, match.group(match.lastgroup)
        if kind == "Identifier" and value in OPERATOR_WORDS:
            kind = "Operator"
        if kind == "String":
            value = _unquote(value)
        tokens.append(_Token(kind, value, match.start(match.lastgroup)))
        at = match.end()
    tokens.append(_Token("EOF", "", len(source)))
    return tokens


def past_space(source: str, at: int) -> int:
    """The place of the first character from `at` on that is no white space; the end if there is none."""
    while at < len(source) and source[at].isspace():
        at += 1
    return at


def _unquote(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda m: escapes.get(m.group(1), m.group(1)), text[1:-1])


_BINARY: list[tuple[str, ...]] = [
    ("??",),
    ("||", "or"),
    ("&&", "and"),
    ("==", "!="),
    ("<", ">", "<=", ">=", "in", "not in", "matches", "contains", "startsWith", "endsWith"),
    ("+", "-"),
    ("*", "/", "%"),
]


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = _lex(source)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, token: _Token) -> ExpressionError:
        if token.value in NOT_IMPLEMENTED and token.kind in ("Operator", "Bracket"):
            return UnsupportedExpression(f"'{token.value}' is not implemented by the embedded Argo")
        return ExpressionError(located(f"unexpected token {token}", self.source, token.at))

    def take(self, *values: str, kind: str = "Operator") -> str | None:
        token = self.token
        if token.kind == kind and token.value in values:
            self.at += 1
            return token.value
        return None

    def expect(self, value: str, kind: str) -> None:
        if self.take(value, kind=kind) is None:
            raise self.fail(self.token)

    def parse(self) -> Expression:
        result = self.ternary()
        if self.token.kind != "EOF":
            raise self.fail(self.token)
        return result

    def ternary(self) -> Expression:
        self.depth += 1
        if self.depth > 100:
            raise ExpressionError("expression is nested too deeply")
        condition = self.binary(0)
        if self.take("?"):
            yes = self.ternary()
            self.expect(":", "Operator")
            no = self.ternary()
            self.depth -= 1
            return lambda env: yes(env) if as_bool(condition(env)) else no(env)
        self.depth -= 1
        return condition

    def binary(self, level: int) -> Expression:
        if level == len(_BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while True:
            operator = self.operator(_BINARY[level])
            if operator is None:
                return left
            left = combine(operator, left, self.binary(level + 1))

    def operator(self, wanted: tuple[str, ...]) -> str | None:
        if "not in" in wanted and self.token.value == "not" and self.tokens[self.at + 1].value == "in":
            self.at += 2
            return "not in"
        return self.take(*wanted)

    def unary(self) -> Expression:
        sign = self.take("!", "not", "-", "+")
        if sign is None:
            return self.postfix(self.primary())
        operand = self.unary()
        if sign in ("!", "not"):
            return lambda env: not as_bool(operand(env))
        factor = -1 if sign == "-" else 1
        return lambda env: factor * as_number(operand(env))

    def primary(self) -> Expression:
        token = self.token
        self.at += 1
        if token.kind == "Number":
            digits = token.value.replace("_", "")
            if len(digits) > MOST_DIGITS:
                raise self.fail(token)
            number = int(digits) if digits.isdigit() else float(digits)
            return lambda env: number
        if token.kind == "String":
            text = token.value
            return lambda env: text
        if token.kind == "Bracket" and token.value == "(":
            inner = self.ternary()
            self.expect(")", "Bracket")
            return inner
        if token.kind == "Bracket" and token.value == "[":
            items = self.arguments("]")
            return lambda env: [item(env) for item in items]
        if token.kind == "Identifier":
            return self.name(token)
        raise self.fail(token)

    def name(self, token: _Token) -> Expression:
        constants = {"true": True, "false": False, "nil": None}
        if token.value in constants:
            constant = constants[token.value]
            return lambda env: constant
        if self.take("(", kind="Bracket"):
            return self.call(token)
        return self.path(token)

    def call(self, token: _Token) -> Expression:
        name = token.value
        if name not in FUNCTIONS:
            raise UnsupportedExpression(f"function {name} is not implemented by the embedded Argo")
        arguments = self.arguments(")")
        if len(arguments) != 1:
            raise ExpressionError(located(f"{name} takes one argument", self.source, token.at))
        return lambda env: apply(name, arguments[0](env))

    def path(self, token: _Token) -> Expression:
        names = [token.value]
        while True:
            if self.token.value == "." and self.token.kind == "Operator":
                self.at += 1
                member = self.token
                if member.kind not in ("Identifier", "Operator") or not re.match(r"\w", member.value):
                    raise self.fail(member)
                names.append(member.value)
                self.at += 1
                if self.token == _Token("Bracket", "(", self.token.at):
                    dotted = ".".join(names)
                    raise UnsupportedExpression(f"function {dotted} is not implemented by the embedded Argo")
            elif (
                self.token.value == "["
                and self.token.kind == "Bracket"
                and self.tokens[self.at + 1].kind == "String"
            ):
                names.append(self.tokens[self.at + 1].value)
                self.at += 2
                self.expect("]", "Bracket")
            else:
                path = tuple(names)
                return lambda env: env(path)

    def postfix(self, value: Expression) -> Expression:
        while self.take("[", kind="Bracket"):
            index = self.ternary()
            self.expect("]", "Bracket")
            value = indexed(value, index)
        if self.token.kind == "Operator" and self.token.value == ".":
            raise ExpressionError(
                located(
                    "type bool has no field " + self.tokens[self.at + 1].value, self.source, self.token.at + 1
                )
            )
        return value

    def arguments(self, end: str) -> list[Expression]:
        items: list[Expression] = []
        while not self.take(end, kind="Bracket"):
            if items:
                self.expect(",", "Operator")
            items.append(self.ternary())
        return items


MOST_DIGITS = 400
TOO_DEEP = "the expression is nested too deeply"


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Parse an expression once. Raises ExpressionError, or UnsupportedExpression by name of the part."""
    try:
        parsed = _Parser(source).parse()
    except RecursionError as error:
        raise ExpressionError(TOO_DEEP) from error

    def evaluate(env: Lookup) -> Any:
        try:
            return parsed(env)
        except RecursionError as error:
            raise ExpressionError(TOO_DEEP) from error

    return evaluate
