"""JSON as Go's encoding/json reads and writes it.

Argo puts JSON text into parameters and into messages, so numbers keep the digits they were written
with, keys are sorted, `<`, `>` and `&` are escaped, and a syntax error has Go's words.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any


class Number(str):
    """A JSON number by its digits: `1.50` stays `1.50`."""

    __slots__ = ()


class GoJSONError(ValueError):
    """Text that is not JSON; the message is Go's."""


_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_TABLE = str.maketrans(_ESCAPES)
_SPACE = re.compile(r"[ \t\r\n]+")
_SPACE_OUTSIDE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


def loads(text: str) -> Any:
    """Parse JSON; numbers come as `Number`. Raises GoJSONError."""
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
        return _whole(value) if _HALF.search(text) else value
    except RecursionError as error:
        raise GoJSONError("exceeded max depth") from error
    except ValueError as error:
        raise GoJSONError(_complaint(text)) from error


def _whole(value: Any) -> Any:
    """A value with lone surrogates replaced in its texts: Go's strings are UTF-8, which has none."""
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, str) and not isinstance(value, Number):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


class Raw(str):
    """A JSON value by its text, without white space: what Go keeps as a `json.RawMessage`."""

    __slots__ = ()


def raw_items(text: str) -> list[Raw] | None:
    """The items of a JSON list as they are written; None where the text is null. Raises GoJSONError."""
    value = loads(text)
    if value is not None and not isinstance(value, list):
        raise GoJSONError(f"json: cannot unmarshal {kind(value)} into Go value of type []v1alpha1.Item")
    return None if value is None else [Raw(_compact(part)) for _, part in _parts(text)]


def raw_members(text: str) -> dict[str, Raw]:
    """The members of a JSON object as they are written."""
    return {key: Raw(_compact(part)) for key, part in _parts(text)}


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a list or an object in a text that is JSON, with their keys ("" in a list)."""
    at = text.index("{") if text.lstrip()[:1] == "{" else text.index("[")
    named = text[at] == "{"
    at = _after_space(text, at + 1)
    while text[at] not in "]}":
        key = ""
        if named:
            key, at = _DECODER.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, at)
        yield key, text[at:end]
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _compact(text: str) -> str:
    return _SPACE_OUTSIDE.sub(r"\1", text) if text[:1] in "[{" else text


def escape_html(text: str) -> str:
    """JSON text with the characters escaped that Go's `json.Marshal` escapes for HTML."""
    return text.translate(_TABLE)


def dumps(value: Any) -> str:
    """Write JSON as Go's `json.Marshal` does: compact, keys sorted, HTML characters escaped."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).translate(_TABLE)
    if isinstance(value, dict):
        return "{" + ",".join(f"{dumps(k)}:{dumps(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def dump_structs(values: list[dict[str, Any]]) -> str:
    """Write a list of Go structs, whose fields keep their order."""
    texts = (
        "{" + ",".join(f'"{key}":{dumps(item)}' for key, item in value.items()) + "}" for value in values
    )
    return "[" + ",".join(texts) + "]"


def any_string(value: Any) -> str | None:
    """What Argo's AnyString holds after reading a value of any JSON type; None if there is none."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return dumps(value)


def kind(value: Any) -> str:
    """The name that Go's decoder gives to a JSON value of this type."""
    if isinstance(value, Number):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    return "object" if isinstance(value, dict) else "array"


def _refuse(word: str) -> Any:
    raise ValueError(word)


_END = "unexpected end of JSON input"


class _Scanner:
    """Finds where Go's scanner would stop, and with which message (encoding/json/scanner.go)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def complain(self) -> str:
        try:
            self._value()
            self._space()
            if self.at < len(self.text):
                self._stop("after top-level value")
        except GoJSONError as error:
            return str(error)
        return _END

    def _stop(self, where: str) -> None:
        if self.at >= len(self.text):
            raise GoJSONError(_END)
        raise GoJSONError(f"invalid character {_quote(self.text[self.at])} {where}")

    def _space(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def _value(self) -> None:
        char = self._space()
        if char == "{":
            self._object()
        elif char == "[":
            self._array()
        elif char == '"':
            self._string()
        elif char and char in "-0123456789":
            self._number()
        elif char and char in "tfn":
            self._literal({"t": "true", "f": "false", "n": "null"}[char])
        else:
            self._stop("looking for beginning of value")

    def _literal(self, word: str) -> None:
        for expected in word:
            if self.at >= len(self.text) or self.text[self.at] != expected:
                self._stop(f"in literal {word} (expecting {_quote(expected)})")
            self.at += 1

    def _digits(self, where: str) -> None:
        if self.at >= len(self.text) or self.text[self.at] not in "0123456789":
            self._stop(where)
        while self.at < len(self.text) and self.text[self.at] in "0123456789":
            self.at += 1

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _number(self) -> None:
        if self._peek() == "-":
            self.at += 1
        if self._peek() == "0":
            self.at += 1
        else:
            self._digits("in numeric literal")
        if self._peek() == ".":
            self.at += 1
            self._digits("after decimal point in numeric literal")
        if self._peek() and self._peek() in "eE":
            self.at += 1
            if self._peek() and self._peek() in "+-":
                self.at += 1
            self._digits("in exponent of numeric literal")

    def _string(self) -> None:
        self.at += 1
        while True:
            char = self._peek()
            if char == '"':
                self.at += 1
                return
            if not char or char < " ":
                self._stop("in string literal")
            self.at += 1
            if char == "\\":
                escape = self._peek()
                if not escape or escape not in 'bfnrt\\/"u':
                    self._stop("in string escape code")
                self.at += 1
                if escape == "u":
                    for _ in range(4):
                        if not self._peek() or self._peek() not in "0123456789abcdefABCDEF":
                            self._stop("in \\u hexadecimal character escape")
                        self.at += 1

    def _array(self) -> None:
        self.at += 1
        if self._space() == "]":
            self.at += 1
            return
        while True:
            self._value()
            char = self._space()
            if not char or char not in ",]":
                self._stop("after array element")
            self.at += 1
            if char == "]":
                return

    def _object(self) -> None:
        self.at += 1
        if self._space() == "}":
            self.at += 1
            return
        while True:
            if self._space() != '"':
                self._stop("looking for beginning of object key string")
            self._string()
            if self._space() != ":":
                self._stop("after object key")
            self.at += 1
            self._value()
            char = self._space()
            if not char or char not in ",}":
                self._stop("after object key:value pair")
            self.at += 1
            if char == "}":
                return
            self._space()


def _quote(char: str) -> str:
    if char == "'":
        return "'\\''"
    if char == '"':
        return "'\"'"
    return "'" + json.dumps(char, ensure_ascii=False)[1:-1] + "'"


def _complaint(text: str) -> str:
    return _Scanner(text).complain()
