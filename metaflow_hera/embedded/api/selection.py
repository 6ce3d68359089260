"""Choosing objects and parts of them: label and field selectors, `fields`, pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from metaflow_hera.embedded.api.http import INVALID_ARGUMENT, ApiError, BadQuery
from metaflow_hera.embedded.json_object import JSON

MOST_DIGITS = 18
"""The most digits of a number in a query: any such number fits into Go's int64."""

YES = ("1", "t", "T", "true", "TRUE", "True")
NO = ("0", "f", "F", "false", "FALSE", "False")

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]
T = TypeVar("T")

_KEY = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<not>{_KEY})"
    rf"|(?P<set>{_KEY})\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<key>{_KEY})\s*(?:(?P<sign>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]*))?)\s*(?:,|$)"
)


def label_selector(text: str) -> Test:
    """A Kubernetes label selector as a test: `=`, `==`, `!=`, `in`, `notin`, `key`, `!key`.

    Raises:
        ApiError: it cannot be parsed.
    """
    tests: list[Test] = []
    position = 0
    while position < len(text.rstrip()):
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise ApiError(INVALID_ARGUMENT, f"unable to parse requirement: {text[position:].strip()}")
        tests.append(_requirement(match))
        position = match.end()
    return lambda labels: all(test(labels) for test in tests)


def _requirement(match: re.Match[str]) -> Test:
    if match["absent"]:
        absent = match["not"]
        return lambda labels: absent not in labels
    if match["set"]:
        key, values = match["set"], {value.strip() for value in match["values"].split(",")}
        if match["word"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    key, sign, value = match["key"], match["sign"], match["value"]
    if sign is None:
        return lambda labels: key in labels
    if sign == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


def name_selector(text: str) -> str | None:
    """The name that a field selector asks for; `metadata.name` is the only field supported.

    Raises:
        ApiError: another field is asked for.
    """
    if not text:
        return None
    match = re.fullmatch(r"\s*metadata\.name\s*==?\s*([^,=!]*?)\s*", text)
    if match is None:
        message = f"field selector not supported: {text}: only metadata.name=NAME is supported"
        raise ApiError(INVALID_ARGUMENT, message)
    return match.group(1)


def page(items: Sequence[T], query: Mapping[str, str]) -> tuple[Sequence[T], JSON]:
    """The part of a list that `listOptions.limit` and `.continue` ask for, and its metadata.

    As in Argo's server the token to continue with is an offset.
    """
    limit = whole_number(query, "listOptions.limit") or 0
    offset = whole_number(query, "listOptions.continue") or 0
    end = offset + limit if limit else len(items)
    metadata = {"continue": str(end)} if end < len(items) else {}
    return items[offset:end], metadata


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A number of a query, None if it is not there. Raises BadQuery unless it is 0 or more, and an int64."""
    text = query.get(name)
    if not text:
        return None
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        raise BadQuery(f"{name}: strconv.ParseInt: parsing {json.dumps(text)}: invalid syntax")
    if len(digits) > MOST_DIGITS:
        raise BadQuery(f"{name}: strconv.ParseInt: parsing {json.dumps(text)}: value out of range")
    if text != digits:
        raise BadQuery(f"{name}: Invalid value: {text}: must be greater than or equal to 0")
    return int(text)


def yes_or_no(query: Mapping[str, str], name: str) -> bool:
    """A bool of a query, False if it is not there, in any of Go's words. Raises BadQuery for others."""
    text = query.get(name) or "false"
    if text not in (*YES, *NO):
        raise BadQuery(f"{name}: strconv.ParseBool: parsing {json.dumps(text)}: invalid syntax")
    return text in YES


class Fields:
    """Argo's `fields=`: paths to keep or, with a leading `-`, to leave out.

    After `Cleaner` of Argo's `util/fields`: a list is passed through without an index, a path is kept if a
    chosen one starts with it (as text). Argo reads the result back into its types, so the fields that
    these always have come back, empty: `fill`.
    """

    def __init__(self, text: str, prefix: str = "") -> None:
        self._exclude = text.startswith("-")
        self._fields = (
            {field.removeprefix(prefix) for field in text.removeprefix("-").split(",")} if text else set()
        )

    def __bool__(self) -> bool:
        return bool(self._fields)

    def without(self, path: str) -> bool:
        """Whether nothing at this path is asked for."""
        if not self._fields:
            return False
        matches = any(path.startswith(field) or field.startswith(path) for field in self._fields)
        return matches if self._exclude else not matches

    def clean(self, item: Any, path: tuple[str, ...] = ()) -> Any:
        """A copy of `item` with the chosen fields only."""
        if isinstance(item, list):
            return [self.clean(part, path) for part in item]
        if not isinstance(item, dict):
            return item
        kept = {}
        for key, value in item.items():
            full = ".".join((*path, key))
            chosen = full in self._fields
            if self._exclude:
                if not chosen:
                    kept[key] = self.clean(value, (*path, key))
            elif chosen:
                kept[key] = value
            elif any(field.startswith(full) for field in self._fields):
                kept[key] = self.clean(value, (*path, key))
        return kept


def fill(workflow: JSON) -> JSON:
    """Add to a cleaned workflow the fields that Go's Workflow never leaves out."""
    filled = {"metadata": {}, "spec": {}, "status": {}, **workflow}
    filled["spec"] = {"arguments": {}, **filled["spec"]}
    filled["status"] = {"startedAt": None, "finishedAt": None, **filled["status"]}
    nodes = filled["status"].get("nodes")
    if nodes:
        empty = {"id": "", "name": "", "displayName": "", "type": "", "startedAt": None, "finishedAt": None}
        filled["status"]["nodes"] = {key: {**empty, **node} for key, node in nodes.items()}
    return filled
