"""The types of fields, checked as Go does when it reads an object of Argo's."""

from __future__ import annotations

from typing import Any

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules import argo_fields
from metaflow_hera.embedded.rules.requests import MESSAGES

FIELDS = {**argo_fields.FIELDS, **MESSAGES}


class WrongType(ValueError):
    """A field that holds another kind of JSON value than Argo's type does."""


_MAP = "map[string]"
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "bool": bool,
    "int64": int,  # also for an object's int32: the schema does not tell them apart
    "int32": int,
    "number": (int, float),
    "IntOrString": (int, str),
    "Quantity": (int, float, str),
}
_BITS = {"int64": 64, "int32": 32, "IntOrString": 32}
_JSON = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def without_unknown(value: Any, kind: str, place: str = "") -> Any:
    """A copy of a value as Go would read it: without unknown fields and without null.

    `kind` is a type as Go writes it (`string`, `[]Template`, `map[string]string`).

    Raises:
        WrongType: a field holds a value of another type. The message is Go's.
    """
    if kind in ("any", "AnyString"):
        return value
    if kind in _PYTHON:
        _expect(value, _PYTHON[kind], kind, place)
        return value
    if kind.startswith("[]"):
        _expect(value, list, kind, place)
        return [without_unknown(item, kind[2:], f"{place}[{index}]") for index, item in enumerate(value)]
    if kind.startswith(_MAP):
        _expect(value, dict, kind, place)
        below = kind.removeprefix(_MAP)
        return {key: without_unknown(item, below, f"{place}.{key}") for key, item in value.items()}
    if value is None:
        return {}
    _expect(value, dict, kind, place)
    if kind not in FIELDS:  # nothing of this object is implemented
        return value
    known: JSON = {}
    for field, item in value.items():
        # A volume with nothing but a name is an emptyDir.
        if field in FIELDS[kind] and (item is not None or field == "emptyDir"):
            path = f"{place}.{field}" if place else field
            known[field] = without_unknown(item, FIELDS[kind][field], path)
    return known


def _expect(value: Any, python: type | tuple[type, ...], go: str, place: str) -> None:
    if not isinstance(value, python) or (isinstance(value, bool) and python is not bool):
        found = _JSON.get(type(value), "null")
        raise WrongType(f"json: cannot unmarshal {found} into Go struct field {place} of type {go}")
    bits = _BITS.get(go)
    if bits is not None and isinstance(value, int) and not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise WrongType(f"json: cannot unmarshal number {value} into Go struct field {place} of type {go}")
