"""Go's text/template, as far as the parameters of a Sensor need it, with some functions of sprig.

It has actions with trim markers, `if`/`else if`/`else`/`end`, variables, pipelines, parentheses, fields
of the data and of variables, texts, numbers, `true`, `false` and `nil`. Another action or function is
refused by its name. https://pkg.go.dev/text/template, https://masterminds.github.io/sprig/
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from metaflow_hera.embedded.expressions.language import past_space
from metaflow_hera.embedded.expressions.operators import format_value


class TemplateError(ValueError):
    """A template that cannot be read or executed."""


class _Text(NamedTuple):
    text: str


class _Output(NamedTuple):
    variable: str
    pipeline: Any


class _If(NamedTuple):
    branches: tuple[tuple[Any, tuple[Any, ...]], ...]
    otherwise: tuple[Any, ...]


class _Pipeline(NamedTuple):
    commands: tuple[Any, ...]


class _Call(NamedTuple):
    words: tuple[Any, ...]


class _Field(NamedTuple):
    variable: str
    path: tuple[str, ...]


class _Function(NamedTuple):
    name: str


class _Value(NamedTuple):
    value: Any


INSIDE = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|`[^`]*`|/\*.*?\*/|(?!\}\}|/\*)[^\"`])*", re.DOTALL)
"""The inside of an action, as far as it can be read: what ends there and not at `}}` is not closed."""
TOKEN = re.compile(
    r"""(?:
      (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<raw>`[^`]*`)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<field>\$?\w*(?:\.\w+)+|\$\w*|\.)
    | (?P<word>\w+)
    | (?P<sign>:=|=|\||\(|\))
    )""",
    re.VERBOSE,
)


MOST_DIGITS = 6
"""Of a width or a precision: Go's own bound is a million."""


def check(template: str) -> None:
    """Raise TemplateError for a template that cannot be read."""
    _parse(template)


def render(template: str, data: Mapping[str, Any]) -> str:
    """The text of a template with some data. Raises TemplateError."""
    out: list[str] = []
    _run(_parse(template), {"$": data}, data, out)
    return "".join(out)


@lru_cache(maxsize=1024)
def _parse(template: str) -> tuple[Any, ...]:
    parts = _Parts(_split(template))
    try:
        nodes, word = parts.block()
    except RecursionError as error:
        raise TemplateError("the template is nested too deeply") from error
    if word is not None:
        raise TemplateError(f"unexpected {{{{{word}}}}}")
    return nodes


def _split(template: str) -> list[_Text | str]:
    """Texts and the insides of actions, in their order."""
    found: list[_Text | str] = []
    at, trim = 0, False
    while (start := template.find("{{", at)) >= 0:
        match = INSIDE.match(template, start + 2)
        assert match is not None
        if not template.startswith("}}", match.end()):
            raise TemplateError("unclosed action")
        inside = match.group()
        text = template[at:start]
        text = text.lstrip() if trim else text
        before, trim = _trims(inside)
        found += [_Text(text.rstrip() if before else text), inside[before : len(inside) - trim].strip()]
        at = match.end() + 2
    rest = template[at:]
    return [*found, _Text(rest.lstrip() if trim else rest)]


def _trims(inside: str) -> tuple[bool, bool]:
    """Whether an action takes away the space before it (`{{- `) and after it (` -}}`)."""
    return inside[:1] == "-" and inside[1:2].isspace(), inside[-1:] == "-" and inside[-2:-1].isspace()


class _Parts:
    def __init__(self, parts: Sequence[_Text | str]) -> None:
        self._parts = list(parts)
        self._at = 0

    def block(self) -> tuple[tuple[Any, ...], str | None]:
        """The nodes until the end of a block, and the action that ends it."""
        nodes: list[Any] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            self._at += 1
            if isinstance(part, _Text):
                nodes.append(part)
                continue
            word = part.partition(" ")[0]
            if word in ("else", "end"):
                return tuple(nodes), part
            if word == "if":
                nodes.append(self._if(part))
            elif word in ("range", "with", "define", "template", "block", "break", "continue"):
                raise TemplateError(f"{word} is not implemented by the embedded Argo")
            elif not part.startswith("/*"):
                nodes.append(_statement(part))
        return tuple(nodes), None

    def _if(self, opening: str) -> _If:
        branches = []
        condition = opening
        while True:
            nodes, word = self.block()
            branches.append((_pipeline(condition.partition(" ")[2]), nodes))
            if word is None:
                raise TemplateError("unexpected EOF")
            if word.startswith("else if "):
                condition = word.removeprefix("else ")
                continue
            otherwise: tuple[Any, ...] = ()
            if word == "else":
                otherwise, word = self.block()
            if word != "end":
                raise TemplateError(f"unexpected {word}")
            return _If(tuple(branches), otherwise)


def _statement(text: str) -> _Output:
    match = re.match(r"(\$\w+)\s*:?=\s*(.*)", text, re.DOTALL)
    return _Output(match.group(1), _pipeline(match.group(2))) if match else _Output("", _pipeline(text))


def _pipeline(text: str) -> _Pipeline:
    tokens = _tokens(text)
    pipeline, rest = _read(tokens, 0)
    if rest != len(tokens):
        raise TemplateError(f"unexpected {tokens[rest][1]!r}")
    return pipeline


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while (at := past_space(text, at)) < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"unexpected {text[at]!r} in {text!r}")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _read(tokens: list[tuple[str, str]], at: int) -> tuple[_Pipeline, int]:
    commands: list[_Call] = []
    words: list[Any] = []
    while at < len(tokens) and tokens[at] != ("sign", ")"):
        kind, text = tokens[at]
        at += 1
        if (kind, text) == ("sign", "|"):
            commands.append(_command(words))
            words = []
        elif (kind, text) == ("sign", "("):
            inner, at = _read(tokens, at)
            if at >= len(tokens):
                raise TemplateError("unclosed left paren")
            at += 1
            words.append(inner)
        else:
            words.append(_word(kind, text))
    commands.append(_command(words))
    return _Pipeline(tuple(commands)), at


def _command(words: list[Any]) -> _Call:
    if not words:
        raise TemplateError("missing value for command")
    return _Call(tuple(words))


def _word(kind: str, text: str) -> Any:
    if kind == "text":
        return _Value(json.loads(text))
    if kind == "raw":
        return _Value(text[1:-1])
    if kind == "number":
        return _Value(float(text) if "." in text else int(text))
    if kind == "field":
        variable, *path = text.split(".")
        return _Field(variable, tuple(part for part in path if part))
    if kind == "word":
        if text in ("true", "false", "nil"):
            return _Value({"true": True, "false": False, "nil": None}[text])
        if text not in FUNCTIONS:
            raise TemplateError(f'function "{text}" is not implemented by the embedded Argo')
        return _Function(text)
    raise TemplateError(f"unexpected {text!r}")


def _run(nodes: tuple[Any, ...], variables: dict[str, Any], data: Any, out: list[str]) -> None:
    for node in nodes:
        if isinstance(node, _Text):
            out.append(node.text)
        elif isinstance(node, _Output):
            value = _evaluate(node.pipeline, variables, data)
            if node.variable:
                variables[node.variable] = value
            else:
                out.append("<no value>" if value is None else _printed(value))
        else:
            for condition, inner in node.branches:
                if _is_true(_evaluate(condition, variables, data)):
                    _run(inner, variables, data, out)
                    break
            else:
                _run(node.otherwise, variables, data, out)


def _evaluate(node: Any, variables: Mapping[str, Any], data: Any) -> Any:
    if isinstance(node, _Pipeline):
        last: tuple[Any, ...] = ()
        for command in node.commands:
            last = (_call(command, last, variables, data),)
        return last[0]
    if isinstance(node, _Function):
        return _call(_Call((node,)), (), variables, data)
    if isinstance(node, _Field):
        if node.variable and node.variable not in variables:
            raise TemplateError(f"undefined variable {node.variable!r}")
        value = variables[node.variable] if node.variable else data
        for name in node.path:
            if value is None:
                raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
            if not isinstance(value, Mapping):
                raise TemplateError(f"can't evaluate field {name}")
            value = value.get(name)
        return value
    return node.value


def _call(command: _Call, last: tuple[Any, ...], variables: Mapping[str, Any], data: Any) -> Any:
    first, *rest = command.words
    arguments = [_evaluate(word, variables, data) for word in rest]
    if isinstance(first, _Function):
        try:
            return FUNCTIONS[first.name](*arguments, *last)
        except TemplateError:
            raise
        except Exception as error:
            raise TemplateError(f"error calling {first.name}: {error}") from error
    if arguments or last:
        raise TemplateError("can't give argument to non-function")
    return _evaluate(first, variables, data)


def _printed(value: Any) -> str:
    """A value as Go prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_printed(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_printed, value))}]"
    return "<nil>" if value is None else format_value(value)


def _is_true(value: Any) -> bool:
    return bool(value)


def _fail(message: str) -> Any:
    raise TemplateError(message)


def _kind(value: Any) -> str:
    if value is None:
        return "invalid"
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "bool"), (str, "string"), (int, "float64"), (float, "float64"), (list, "slice"), (dict, "map"),
    )  # fmt: skip
    return next(name for kind, name in kinds if isinstance(value, kind))


def _json(value: Any, *, raw: bool) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    if raw:
        return text
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _b64enc(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def _and(*values: Any) -> Any:
    return next((value for value in values if not _is_true(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if _is_true(value)), values[-1])


def _printf(form: str, *values: Any) -> str:
    if re.search(r"%[^%A-Za-z]*\*", form):
        raise TemplateError(f"a width that is an argument, as in {form[:100]!r}, is not implemented")
    numbers = re.findall(r"\d+", form)
    if any(len(digits) > MOST_DIGITS for digits in numbers) or sum(map(int, numbers)) >= 10**MOST_DIGITS:
        raise TemplateError(f"the numbers in {form[:100]!r} have more than {MOST_DIGITS} digits")
    return form % tuple(_printed(value) if isinstance(value, list | dict) else value for value in values)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": lambda value: not _is_true(value),
    "eq": lambda value, *others: any(value == other for other in others),
    "ne": lambda value, other: value != other,
    "printf": _printf,
    "hasKey": lambda mapping, key: key in mapping,
    "get": lambda mapping, key: mapping.get(key, ""),
    "pick": lambda mapping, *keys: {key: mapping[key] for key in keys if key in mapping},
    "kindIs": lambda kind, value: _kind(value) == kind,
    "kindOf": _kind,
    "default": lambda default, value=None: value if _is_true(value) else default,
    "fail": _fail,
    "toJson": lambda value: _json(value, raw=False),
    "toRawJson": lambda value: _json(value, raw=True),
    "toString": _printed,
    "quote": lambda value: json.dumps(_printed(value), ensure_ascii=False),
    "b64enc": _b64enc,
    "trim": lambda text: text.strip(),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
}
"""The functions of text/template and of sprig that are implemented."""
