"""The items of a TaskGroup (withItems, withParam, withSequence): their values and the names they give."""

from __future__ import annotations

import re
from typing import Any

from metaflow_hera.embedded.expressions.gojson import GoJSONError, Number, dumps, kind, loads
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.templates import ITEM_FIELDS

MOST_ITEMS = 100_000
"""The most items of a TaskGroup: Argo has no bound but its memory."""

MOST_WIDTH = 1_000
"""The most digits and blanks that the format of a sequence may ask for."""

_WIDTHS = re.compile(r"%(?:%|[-+# 0]*(\d*)(?:\.(\d*))?)")


class ItemsError(ValueError):
    """A list of items that cannot be read; the message is the one Argo puts on the node."""


def without_items(task: JSON) -> JSON:
    """What each item's task is made from."""
    return {key: value for key, value in task.items() if key not in ITEM_FIELDS}


def read_items(task: JSON) -> list[Any]:
    """The items of a task whose variables are replaced (expandTask in dag.go). Raises ItemsError."""
    if task.get("withItems"):
        return [loads(dumps(item)) for item in task["withItems"]]
    if task.get("withSequence"):
        return _sequence(task["withSequence"])
    return _read_param(task["withParam"])


def _read_param(text: str) -> list[Any]:
    try:
        items = loads(text)
        if items is None:
            return []
        if not isinstance(items, list):
            raise GoJSONError(f"json: cannot unmarshal {kind(items)} into Go value of type []v1alpha1.Item")
    except GoJSONError as error:
        raise ItemsError(
            f"withParam value could not be parsed as a JSON list: {text.strip()}: {error}"
        ) from error
    return items


def _sequence(sequence: JSON) -> list[Any]:
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


def item_values(item: Any) -> dict[str, str]:
    """The variables of an item: `item`, and `item.KEY` of a map (processItem in operator.go)."""
    if isinstance(item, dict):
        values = {f"item.{key}": _text(value) for key, value in item.items()}
        values["item"] = dumps(item)
        return values
    return {"item": _text(item)}


def item_name(task: str, index: int, item: Any) -> str:
    """The name of the task of an item: `task(INDEX:ITEM)`, without parentheses in ITEM."""
    if isinstance(item, dict):
        text = ",".join(sorted(f"{key}:{_text(value)}" for key, value in item.items()))
    elif isinstance(item, list):
        text = "[" + " ".join(map(_text, item)) + "]"
    else:
        text = _text(item)
    return f"{task}({index}:{text.replace('(', '').replace(')', '')})"


def _text(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return value
    return dumps(value)
