"""What Argo replaces by a value: its template variables.

https://argo-workflows.readthedocs.io/en/latest/variables/
"""

from __future__ import annotations


def input_parameter(name: str) -> str:
    """An input of the template that uses it."""
    return f"{{{{inputs.parameters.{name}}}}}"


def output_parameter(task: str, name: str) -> str:
    """An output of a task in the DAG that uses it."""
    return f"{{{{tasks.{task}.outputs.parameters.{name}}}}}"


def workflow_parameter(name: str) -> str:
    """A parameter of the workflow."""
    return f"{{{{workflow.parameters.{name}}}}}"
