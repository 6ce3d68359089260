r"""Paths into JSON, as far as sensors need those of gjson and sjson: keys and indexes with dots between them.

A dot in a key is written `\.`. In a path to write to, `#(name=="x")` is the item of a list with that name.
https://github.com/tidwall/gjson/blob/master/SYNTAX.md
"""

from __future__ import annotations

import re
from typing import Any

from metaflow_hera.embedded.storage.reader import dump

MISSING = object()
ITEM = re.compile(r"#\(([\w-]+)==?\"?([^\")]*)\"?\)")
PART = re.compile(r"(?:#\([^)]*\)|\\.|[^.\\])+")
OTHERS = re.compile(r"(?<!\\)[*?|@#]")


def check(path: str) -> None:
    """Raise ValueError for a path of a kind that is not implemented."""
    for part in PART.findall(path):
        if OTHERS.search(part) and not ITEM.fullmatch(part):
            raise ValueError(f"the path {path} is not implemented by the embedded Argo: {part}")


def find(value: Any, path: str) -> Any:
    """What is at a path, or MISSING."""
    for part in PART.findall(path):
        key = _index(value, part)
        if key is None:
            return MISSING
        value = value[key]
    return value


def text_of(value: Any) -> str:
    """A value as gjson turns it into text: a text as it is, null as nothing, everything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else dump(value)


def replaced(value: Any, path: str, new: Any) -> None:
    """Put a value at a path; if an item of a list is not there, nothing happens, as with sjson."""
    *parents, last = PART.findall(path)
    for part in parents:
        key = _index(value, part)
        if key is None and isinstance(value, dict):
            value[_bare(part)] = {}
            key = _bare(part)
        if key is None:
            return
        value = value[key]
    if isinstance(value, dict):
        value[_bare(last)] = new
    elif (key := _index(value, last)) is not None:
        value[key] = new


def _index(value: Any, part: str) -> Any:
    """The key of a dictionary or the index of a list that a part names; None if it names none."""
    if isinstance(value, dict):
        return _bare(part) if _bare(part) in value else None
    if not isinstance(value, list):
        return None
    item = ITEM.fullmatch(part)
    if item is not None:
        name, text = item.groups()
        return next(
            (i for i, each in enumerate(value) if isinstance(each, dict) and str(each.get(name)) == text),
            None,
        )
    return int(part) if part.isdigit() and int(part) < len(value) else None


def _bare(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part)
