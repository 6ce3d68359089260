"""A deployment as text: JSON, YAML, or Python that builds it with Hera; and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from hera.workflows import CronWorkflow, WorkflowTemplate, models
from pydantic import BaseModel, ValidationError

from metaflow_hera.contract.objects import API_VERSION, BINDING, CRON, JSON, SENSOR, TEMPLATE
from metaflow_hera.errors import ManifestError, UsageError
from metaflow_hera.translation import yaml_text
from metaflow_hera.translation.template import Companion

KINDS = (TEMPLATE, CRON, SENSOR, BINDING)
"""The kinds of objects that `create` deploys or writes."""


Object: TypeAlias = "WorkflowTemplate | Companion"


def _model(kind: str) -> type[BaseModel]:
    """Hera's model of a kind of object."""
    if kind == SENSOR:  # its module takes as long to import as all others
        from hera.events.models import Sensor

        return Sensor
    found: type[BaseModel] = getattr(models, kind)
    return found


def as_json(item: Object) -> JSON:
    """An object of Hera's as Argo and Kubernetes read it."""
    if isinstance(item, WorkflowTemplate | CronWorkflow):
        return dict(item.to_dict())
    body = item.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"apiVersion": API_VERSION, "kind": type(item).__name__, **body}


def to_json(objects: Sequence[JSON]) -> str:
    """The objects as JSON: the one object as it is, several as a Kubernetes List."""
    whole = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": [*objects]}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def to_yaml(objects: Sequence[JSON]) -> str:
    """The objects as YAML documents."""
    return "---\n".join(map(yaml_text.to_yaml, objects))


def to_python(objects: Sequence[JSON]) -> str:
    """A script that builds the same objects with Hera's models and prints them as JSON."""
    built = [_model(item["kind"]).model_validate(item) for item in objects]
    kinds = sorted({module for model in built for module in _modules(model)})
    lines = [
        '"""Built by metaflow_hera. Deploy it with Hera\'s services, or print it."""',
        "",
        "import json",
        "",
        *(f"import {module} as {_alias(module)}" for module in kinds),
        "",
        "objects = (",
        *(
            f"    ({item['kind']!r}, {_source(model, 4)}),"
            for item, model in zip(objects, built, strict=True)
        ),
        ")",
        "",
        'if __name__ == "__main__":',
        "    for kind, item in objects:",
        '        body = item.model_dump(mode="json", by_alias=True, exclude_none=True)',
        f'        print(json.dumps({{"apiVersion": {API_VERSION!r}, "kind": kind, **body}}))',
        "",
    ]
    return "\n".join(lines)


def read(text: str) -> list[JSON]:
    """The objects in YAML or JSON, including those of a Kubernetes List.

    Raises UsageError for a text with objects that `create` does not deploy, ManifestError for an object
    that Argo would refuse.
    """
    try:
        documents = [json.loads(text)]  # a hundred times as fast as the same read as YAML
    except ValueError:
        try:
            documents = [document for document in yaml.safe_load_all(text) if document is not None]
        except yaml.YAMLError as error:
            raise UsageError(f"It is neither YAML nor JSON: {' '.join(str(error).split())}.") from error
    found: list[JSON] = []
    for document in documents:
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        found += document.get("items") or () if is_list else [document]
    for item in found:
        kind = item.get("kind") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in KINDS:
            raise UsageError(f"It holds {kind or 'something'}, which is not one of {', '.join(KINDS)}.")
        try:
            _model(kind).model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ManifestError(f"{kind}: {where}: {first['msg']}.") from error
        if not (item.get("metadata") or {}).get("name"):
            raise ManifestError(f"It holds a {kind} without a name: give it one in metadata.name.")
    return found


FORMS: dict[str, Callable[[Sequence[JSON]], str]] = {"json": to_json, "yaml": to_yaml, "python": to_python}
"""The forms in which objects are written."""


def file_name(item: JSON, form: str) -> str:
    """The file for an object if each has one of its own."""
    return f"{item['kind'].lower()}-{item['metadata']['name']}.{form}"


def belongs_to(path: Path, deployment: str) -> bool:
    """Whether a file holds an object of a deployment, as `create` writes them."""
    try:
        objects = read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, UsageError):
        return False
    return any(deployment in (item["metadata"]["name"], *_references(item)) for item in objects)


def _references(value: Any) -> Iterator[str]:
    """The templates that an object refers to; a sensor does so in text."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "workflowTemplateRef":
                yield str(item.get("name"))
            yield from _references(yaml.safe_load(item) if key == "inline" else item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def service_accounts(objects: Sequence[JSON]) -> list[str]:
    """The service accounts that the objects name, which must exist."""
    found: dict[str, None] = {}

    def look(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key == "serviceAccountName" and item:
                    found[str(item)] = None
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look([*objects])
    return list(found)


def _modules(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield type(value).__module__
        for name in type(value).model_fields:
            yield from _modules(getattr(value, name))
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _modules(item)


def _alias(module: str) -> str:
    return module.removeprefix("hera.").replace(".models.", "_").replace(".", "_")


def _class(model: BaseModel) -> str:
    return f"{_alias(type(model).__module__)}.{type(model).__name__}"


def _source(value: Any, indent: int) -> str:
    """The Python expression for a model, or for what a model holds."""
    pad, end = " " * (indent + 4), " " * indent
    if isinstance(value, BaseModel):
        if set(type(value).model_fields) == {"root"}:
            return f"{_class(value)}(root={value.root!r})"  # type: ignore[attr-defined]
        fields = ((name, getattr(value, name)) for name in type(value).model_fields)
        inner = [f"{pad}{name}={_source(field, indent + 4)}," for name, field in fields if field is not None]
        return "\n".join([f"{_class(value)}(", *inner, f"{end})"])
    if isinstance(value, list):
        return "\n".join(["[", *(f"{pad}{_source(item, indent + 4)}," for item in value), f"{end}]"])
    if isinstance(value, dict):
        inner = [f"{pad}{key!r}: {_source(item, indent + 4)}," for key, item in value.items()]
        return "\n".join(["{", *inner, f"{end}}}"])
    return repr(value)
