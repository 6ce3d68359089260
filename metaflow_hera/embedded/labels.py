"""The labels and annotations by which Argo notes where a workflow comes from, and its title."""

from __future__ import annotations

TEMPLATE_LABEL = "workflows.argoproj.io/workflow-template"
CRON_LABEL = "workflows.argoproj.io/cron-workflow"
SCHEDULED_TIME = "workflows.argoproj.io/scheduled-time"
"""An annotation: the time that a cron workflow started it for."""
TITLE = "workflows.argoproj.io/title"
"""An annotation: what Argo's UI shows in place of the name."""
