"""The items of a TaskGroup (withItems, withParam, withSequence): their values and the names they give."""

from __future__ import annotations

import json
import re
from typing import Any

from metaflow_hera.embedded.expressions.gojson import (
    GoJSONError,
    Raw,
    dumps,
    escape_html,
    loads,
    raw_items,
    raw_members,
)
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import ITEM_FIELDS

MOST_ITEMS = 100_000
"""The most items of a TaskGroup: Argo has no bound but its memory."""

MOST_WIDTH = 1_000
"""The most digits and blanks that the format of a sequence may ask for."""

_UNESCAPED = (("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&"))

_WIDTHS = re.compile(r"%(?:%|[-+# 0]*(\d*)(?:\.(\d*))?)")


class ItemsError(ValueError):
    """A list of items that cannot be read; the message is the one Argo puts on the node."""


def without_items(task: JSON) -> JSON:
    """What each item's task is made from."""
    return {key: value for key, value in task.items() if key not in ITEM_FIELDS}


def read_items(task: JSON) -> list[Raw]:
    """The items of a task whose variables are replaced (expandTask in dag.go). Raises ItemsError."""
    if task.get("withItems"):
        # The API server has written them anew, so that nothing is left of how they were written at first.
        return [
            Raw(json.dumps(item, ensure_ascii=False, separators=(",", ":"))) for item in task["withItems"]
        ]
    if task.get("withSequence") is not None:
        return [Raw(json.dumps(text, ensure_ascii=False)) for text in _sequence(task["withSequence"])]
    return _read_param(task["withParam"])


def _read_param(text: str) -> list[Raw]:
    try:
        return raw_items(text) or []
    except GoJSONError as error:
        raise ItemsError(
            f"withParam value could not be parsed as a JSON list: {text.strip()}: {error}"
        ) from error


def _sequence(sequence: JSON) -> list[str]:
    start = _integer(sequence.get("start"), 0)
    if sequence.get("end") is not None:
        end = _integer(sequence["end"], 0)
    elif sequence.get("count") is not None:
        count = _integer(sequence["count"], 0)
        if count == 0:
            return []
        end = start + count - 1
    else:
        raise ItemsError("neither end nor count was specified in withSequence")
    form = sequence.get("format") or "%d"
    step = 1 if start <= end else -1
    if abs(end - start) >= MOST_ITEMS:
        raise ItemsError(
            f"withSequence has {abs(end - start) + 1:,} items, and the embedded Argo takes {MOST_ITEMS:,}"
        )
    if any(
        len(digits) > 4 or int(digits or 0) > MOST_WIDTH
        for found in _WIDTHS.findall(form)
        for digits in found
    ):
        raise ItemsError(f"withSequence format '{form[:100]}' is wider than {MOST_WIDTH:,}")
    try:
        return [form % number for number in range(start, end + step, step)]
    except (TypeError, ValueError) as error:
        raise ItemsError(f"withSequence format '{form}' is not usable: {error}") from error


def _integer(value: Any, default: int) -> int:
    if value is None:
        return default
    try:
        number = int(str(value))
    except ValueError as error:
        raise ItemsError(f'strconv.Atoi: parsing "{value}": invalid syntax') from error
    if not -(2**63) <= number < 2**63:
        raise ItemsError(f'strconv.Atoi: parsing "{value}": value out of range')
    return number


def members(item: Raw) -> dict[str, Raw]:
    """The values of an item that is a map, by their keys; none for another one."""
    return raw_members(item) if item.startswith("{") else {}


def item_values(item: Raw) -> dict[str, str]:
    """The variables of an item: `item`, and `item.KEY` of a map (processItem in operator.go)."""
    values = {f"item.{key}": _shown(value) for key, value in members(item).items()}
    if item.startswith("{"):
        inner = ",".join(f"{dumps(key)}:{escape_html(value)}" for key, value in sorted(members(item).items()))
        values["item"] = f"{{{inner}}}"
    elif item.startswith("["):
        values["item"] = escape_html(item)
    else:
        values["item"] = loads(item) if item.startswith('"') else item
    return values


def item_name(task: str, index: int, item: Raw) -> str:
    """The name of the task of an item: `task(INDEX:ITEM)`, without parentheses in ITEM."""
    if item.startswith("{"):
        text = ",".join(sorted(f"{key}:{_shown(value)}" for key, value in members(item).items()))
    elif item == "null":  # for Go a list without items
        text = "[]"
    elif item.startswith("["):
        text = "[" + " ".join(map(_shown, raw_items(item) or ())) + "]"
    else:
        text = _shown(item)
    return f"{task}({index}:{text.replace('(', '').replace(')', '')})"


def _shown(value: Raw) -> str:
    """A value as it is written, a text with its escapes and without quotes (Item.String)."""
    text = value[1:-1] if value.startswith('"') else value
    for escape, sign in _UNESCAPED:
        text = text.replace(escape, sign)
    return text
