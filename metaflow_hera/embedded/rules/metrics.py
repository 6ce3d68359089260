"""Argo's rules for the metrics of a template. They are checked only: nobody collects metrics here."""

from __future__ import annotations

import re
from typing import Any

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules.checks import Broken

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KINDS = ("gauge", "counter", "histogram")


def check_metrics(template: JSON) -> None:
    """Check `metrics` of a template (validateTemplate, and workflow/metrics/util.go). Raises Broken."""
    place = f"templates.{template['name']}"
    metrics = template.get("metrics")
    for metric in _objects(metrics.get("prometheus") if isinstance(metrics, dict) else None):
        name = str(metric.get("name") or "")
        if not _NAME.fullmatch(name):
            words = "Metric names must contain alphanumeric characters or '_'"
            raise Broken(f"{place} metric name '{name}' is invalid. {words}")
        for label in _objects(metric.get("labels")):
            if not _NAME.fullmatch(str(label.get("key") or "")):
                words = "keys may only contain alphanumeric characters or '_'"
                raise Broken(f"metric label '{label.get('key') or ''}' is invalid: {words}")
        if not metric.get("help"):
            raise Broken(f"{place} metric '{name}' must contain a help string under 'help: ' field")
        for kind in _KINDS:
            value = metric.get(kind)
            if isinstance(value, dict) and not value.get("value"):
                raise Broken(f"{place} metric '{name}' error: missing {kind}.value")
        gauge: Any = metric.get("gauge") or {}
        if gauge.get("realtime") and "resourcesDuration." in str(gauge["value"]):
            words = "'resourcesDuration.*' metrics cannot be used in real-time"
            raise Broken(f"{place} metric '{name}' error: {words}")


def _objects(value: Any) -> list[JSON]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
