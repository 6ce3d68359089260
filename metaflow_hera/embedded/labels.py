"""The labels and annotations by which Argo notes where a workflow comes from."""

from __future__ import annotations

TEMPLATE_LABEL = "workflows.argoproj.io/workflow-template"
CRON_LABEL = "workflows.argoproj.io/cron-workflow"
SCHEDULED_TIME = "workflows.argoproj.io/scheduled-time"
"""An annotation: the time that a cron workflow started it for."""
