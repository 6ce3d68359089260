"""Whether a dependency of a sensor waits for an event (sensors/dependencies/filter.go of Argo Events)."""

from __future__ import annotations

from typing import Any

from metaflow_hera.embedded.events.paths import MISSING, find, text_of
from metaflow_hera.embedded.expressions import regexp
from metaflow_hera.embedded.expressions.when import WhenError, holds
from metaflow_hera.embedded.json_object import JSON

OR = "or"


def passes(filters: JSON | None, data: JSON) -> bool:
    """Whether the data of an event passes the filters of a dependency; what cannot be evaluated does not."""
    filters = filters or {}
    return _all(
        filters.get("exprs"), filters.get("exprLogicalOperator"), lambda each: _expression(each, data)
    ) and _all(filters.get("data"), filters.get("dataLogicalOperator"), lambda each: _data(each, data))


def _all(filters: Any, operator: str | None, test: Any) -> bool:
    if not filters:
        return True
    return any(map(test, filters)) if operator == OR else all(map(test, filters))


def _expression(each: JSON, data: JSON) -> bool:
    values = {field["name"]: find(data, field["path"]) for field in each.get("fields") or ()}
    if any(value is MISSING for value in values.values()):
        return False
    try:
        return (
            holds(each["expr"], {name: _plain(value) for name, value in values.items()}) if values else True
        )
    except WhenError:
        return False


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _data(each: JSON, data: JSON) -> bool:
    found = find(data, each["path"])
    if found is MISSING:
        return False
    comparator = each.get("comparator") or "="
    return any(_compare(each.get("type"), found, value, comparator) for value in each.get("value") or ())


def _compare(kind: Any, found: Any, value: str, comparator: str) -> bool:
    if kind == "string":
        try:
            matches = regexp.found(value, text_of(found))
        except regexp.RegexpError:  # stored before such patterns were refused
            return False
        return matches if comparator == "=" else comparator == "!=" and not matches
    if kind == "bool":
        return (value.lower() in ("1", "t", "true")) == (found is True or str(found).lower() == "true")
    try:
        left, right = float(found), float(value)
    except (TypeError, ValueError):
        return False
    return {
        "=": left == right,
        "!=": left != right,
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
    }.get(comparator, False)
