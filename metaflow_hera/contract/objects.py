"""The objects that a deployment has at a server: Argo's kinds, and their form in Python."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]
"""An object of Argo's or a part of one, as read from JSON."""

API_VERSION = "argoproj.io/v1alpha1"
TEMPLATE, CRON, SENSOR = "WorkflowTemplate", "CronWorkflow", "Sensor"
BINDING = "WorkflowEventBinding"
"""An export may hold one; Argo's server has no call that creates it."""
NOT_JSON = (ValueError, RecursionError)
"""What `json.loads` raises for a text that is no JSON, or that is nested deeper than Python goes."""
