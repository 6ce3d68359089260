"""Objects by field: neither the order of keys nor what a server adds, or how it writes a value, differs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from metaflow_hera.comparison.records import HIDDEN, FieldChange
from metaflow_hera.contract import environment
from metaflow_hera.contract.objects import JSON, NOT_JSON

KEEPS_EMPTY = ("value", "default")
"""The fields whose empty text is not the same to Argo as none."""
QUANTITIES = ("requests", "limits")
QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)(?:([KMGTPE])i|([numkMGTPE])|[eE]([+-]?\d{1,2}))?")
DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

SHOWN = (
    *("METAFLOW_HERA_", "METAFLOW_DEFAULT_", "METAFLOW_DATASTORE_SYSROOT_", "METAFLOW_KUBERNETES_"),
    *("METAFLOW_CARD_", "METAFLOW_DATATOOLS_", "METAFLOW_FLOW_", "METAFLOW_CODE_", "ARGO_WORKFLOW_"),
)
"""What the names of variables begin with whose values are no secrets: they are this package's, or places."""
SECRET = (environment.HOOKS, environment.ENCODED)
"""Those among them that are: webhooks and keys of notifications, and a user's own variables."""


@dataclass(frozen=True)
class Leaf:
    """A value that is shown as another text than the one it is compared by."""

    value: Any
    shown: str = field(compare=False)


class Named(dict[str, Any]):
    """A list of objects with names, by these."""


def tree(item: Any, key: str = "") -> Any:
    """A part of an object without what makes no difference; `key` is the field that has it."""
    if isinstance(item, dict):
        if environment.PATH in _names(item.get("env")):
            item = _own_container(item)
        elif "env" in item:
            item = {**item, "env": _variables(item["env"])}
        found = {name: tree(value, name) for name, value in item.items()}
        kept = {name: value for name, value in found.items() if not _is_empty(value, name)}
        if key in QUANTITIES:
            kept = {name: _quantity(value) for name, value in kept.items()}
        return Named(kept) if isinstance(item, Named) else kept
    if isinstance(item, list):
        names = _names(item)
        if names and len(names) == len(item):
            return Named(
                {each["name"]: tree({k: v for k, v in each.items() if k != "name"}) for each in item}
            )
        return [tree(each) for each in item]
    return _quantity(item) if key == "sizeLimit" else item


def changes(old: Any, new: Any, path: str = "") -> Iterator[FieldChange]:
    """The fields in which two trees differ; None stands for one that is not there."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict) and isinstance(old, Named) == isinstance(new, Named):
        for key in dict.fromkeys((*old, *new)):
            yield from changes(old.get(key), new.get(key), _inner(path, key, isinstance(old, Named)))
    elif isinstance(old, list) and isinstance(new, list) and _same_shape(old, new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from changes(before, after, f"{path}[{number}]")
    else:
        yield FieldChange(path, shown(old), shown(new))


def shown(value: Any) -> Any:
    """A part of a tree as JSON that may be shown to anybody."""
    if isinstance(value, Leaf):
        return value.shown
    if isinstance(value, Named):
        return [{"name": name, **_as_object(shown(each))} for name, each in value.items()]
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    return [shown(each) for each in value] if isinstance(value, list) else value


def _as_object(value: Any) -> JSON:
    return value if isinstance(value, dict) else {"value": value}


def _same_shape(old: list[Any], new: list[Any]) -> bool:
    """Whether two lists are of objects that can be told apart by their places."""
    return len(old) == len(new) and all(isinstance(each, dict) for each in (*old, *new))


def _inner(path: str, key: str, is_name: bool) -> str:
    if is_name or not re.fullmatch(r"\w+", key):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _is_empty(value: Any, name: str) -> bool:
    return value is None or value in ({}, []) or (value == "" and name not in KEEPS_EMPTY)


def _names(items: Any) -> set[str]:
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        return set()
    return {each["name"] for each in items if isinstance(each.get("name"), str)}


def _own_container(container: JSON) -> JSON:
    """A container that this package wrote: its script is not the user's, and changes with this package."""
    found = {**container, "env": _variables(container["env"])}
    if container.get("args"):
        found["args"] = Leaf(container["args"], "metaflow_hera's own script")
    return found


def _variables(env: list[JSON]) -> Named:
    """The variables of a container by their names, also those that travel together; their values hidden."""
    found = Named()
    for each in env:
        name, value = str(each.get("name")), each.get("value") or ""
        if name == environment.ENCODED:
            found |= _encoded(value)
        elif "valueFrom" in each:
            found[name] = {"valueFrom": each["valueFrom"]}
        else:
            found[name] = _value(name, value)
    return found


def _encoded(value: str) -> dict[str, Any]:
    try:
        variables = json.loads(base64.b64decode(value))
        return {name: Leaf(text, HIDDEN) for name, text in variables.items()}
    except (*NOT_JSON, AttributeError):
        return {environment.ENCODED: Leaf(value, HIDDEN)}


def _value(name: str, value: str) -> Any:
    is_argos = value.startswith("{{") and value.endswith("}}")
    is_shown = is_argos or (name.startswith(SHOWN) and name not in SECRET)
    # A leaf in each case: an empty text is a variable all the same.
    return Leaf(value, value if is_shown else HIDDEN)


def _quantity(value: Any) -> Any:
    """A quantity, which Kubernetes writes in its own way: 1000m is 1, 4096Mi is 4Gi."""
    found = QUANTITY.fullmatch(str(value))
    if found is None:
        return value
    number, binary, decimal, exponent = Decimal(found[1]), found[2], found[3], found[4]
    if binary:
        number *= 2 ** (10 * (1 + "KMGTPE".index(binary)))
    else:
        number = number.scaleb(DECIMAL[decimal] if decimal else int(exponent or 0))
    return Leaf(number, str(value))
