"""A template in a notebook: what it is in short, and its manifest below that, folded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rich.console import RenderableType

from metaflow_hera.argo.deployments import described
from metaflow_hera.argo.progress import progress
from metaflow_hera.contract.objects import CRON, JSON
from metaflow_hera.display.views import PRE, as_html, facts, parameters_in_words


def template_html(template: JSON, companions: Sequence[JSON], yaml: str) -> str:
    """A workflow template, with the objects beside it, and all of them as YAML."""
    # Without colours, which would make it ten times as large.
    folded = f"<details><summary>YAML</summary>{PRE}{escape(yaml)}</pre></details>"
    return as_html(_about(template, companions)) + folded


def _about(template: JSON, companions: Sequence[JSON]) -> RenderableType:
    crons = [each for each in companions if each["kind"] == CRON]
    found = described(template, crons)
    steps = progress({"storedWorkflowTemplateSpec": template["spec"]})
    rows = {
        "flow": found.flow,
        "steps": ", ".join(step.name + " (for each item)" * bool(step.depth) for step in steps),
        "parameters": parameters_in_words(found.parameters),
        "schedules": ", ".join(found.schedules),
        "beside it": ", ".join(f"{each['kind']} {each['metadata']['name']}" for each in companions),
    }
    title = f"WorkflowTemplate {found.name}"
    return facts(title, {name: value for name, value in rows.items() if value})
