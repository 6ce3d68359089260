"""A deployment as text: JSON, YAML that nobody misreads, or the Python that builds it with Hera."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml
from hera.workflows import CronWorkflow, WorkflowTemplate
from pydantic import BaseModel


class _Quoted(yaml.SafeDumper):
    """Quotes every text, so that `1e-5`, `y` and `no` stay text for every reader of YAML."""


_Quoted.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text and _fits_block(text) else '"'
    ),
)


def to_json(objects: Sequence[WorkflowTemplate | CronWorkflow]) -> str:
    """The objects as JSON: the one object as it is, several as a Kubernetes List."""
    items = [item.to_dict() for item in objects]
    whole = items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def to_yaml(objects: Sequence[WorkflowTemplate | CronWorkflow]) -> str:
    """The objects as YAML documents."""
    return "---\n".join(
        yaml.dump(item.to_dict(), Dumper=_Quoted, sort_keys=False, allow_unicode=True, width=10**9)
        for item in objects
    )


def to_python(objects: Sequence[WorkflowTemplate | CronWorkflow]) -> str:
    """A script that builds the same objects with Hera's models and prints them as JSON."""
    lines = [
        '"""Built by metaflow_hera. Deploy it with hera.workflows.WorkflowsService, or print it."""',
        "",
        "from hera.workflows import models as m",
        "",
    ]
    names = []
    for item in objects:
        names.append(_variable(item))
        lines.append(f"{names[-1]} = {_source(item.build(), 0)}")
        lines.append("")
    lines += [
        'if __name__ == "__main__":',
        f"    for item in ({', '.join(names)},):",
        "        print(item.model_dump_json(by_alias=True, exclude_none=True))",
        "",
    ]
    return "\n".join(lines)


def _variable(item: WorkflowTemplate | CronWorkflow) -> str:
    return "cron_workflow" if isinstance(item, CronWorkflow) else "workflow_template"


def _source(value: Any, indent: int) -> str:
    """The Python expression for a model, or for what a model holds."""
    pad, end = " " * (indent + 4), " " * indent
    if isinstance(value, BaseModel):
        if set(type(value).model_fields) == {"root"}:
            return f"m.{type(value).__name__}(root={value.root!r})"  # type: ignore[attr-defined]
        fields = ((name, getattr(value, name)) for name in type(value).model_fields)
        inner = [f"{pad}{name}={_source(field, indent + 4)}," for name, field in fields if field is not None]
        return "\n".join([f"m.{type(value).__name__}(", *inner, f"{end})"])
    if isinstance(value, list):
        return "\n".join(["[", *(f"{pad}{_source(item, indent + 4)}," for item in value), f"{end}]"])
    if isinstance(value, dict):
        inner = [f"{pad}{key!r}: {_source(item, indent + 4)}," for key, item in value.items()]
        return "\n".join(["{", *inner, f"{end}}}"])
    return repr(value)


def _fits_block(text: str) -> bool:
    """Whether a block scalar shows the text as it is: no odd spaces at its start or at line ends."""
    lines = text.split("\n")
    return not text.startswith((" ", "\n")) and all(
        line.isprintable() and line == line.rstrip() for line in lines
    )
