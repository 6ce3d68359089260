"""The parameters of deployments and runs as a person gives and reads them.

Beside Argo's own rules the page follows one: a workflow with a parameter `metaflow-run-tags` is a flow's.

- Its parameters `ABOUT_RUN` describe the run itself. The annotation `metaflow/parameters` of its workflow
  template, a JSON object, names those that people give.
- Values that Argo or Kubernetes would change travel as `base64:` and the base64 of their UTF-8 (see
  `static/values.js`, which writes it); `null` is no value.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.reading import TEXT

OF_FLOW = "metaflow/parameters"
"""The annotation of a flow's deployment that describes its Parameters."""

TAGS = "metaflow-run-tags"
ABOUT_RUN = frozenset({TAGS, "metaflow-code-package", "metaflow-scheduled-time"})
"""Parameters that nobody gives by hand."""

ENCODED = "base64:"
NOT_GIVEN = "null"


def asked(template: JSON) -> list[JSON]:
    """What a workflow template asks for.

    `value` is the default, None if there is none; `required` says that a value must be given, `encoded` that
    it travels in a flow's form.
    """
    parameters = (template["spec"].get("arguments") or {}).get("parameters") or []
    encoded = _are_of_a_flow(each["name"] for each in parameters)
    if encoded:
        names = _named(template["metadata"].get("annotations") or {})
        parameters = [each for each in parameters if each["name"] in names]
    return [_asked(each, encoded) for each in parameters]


def given(parameters: Iterable[JSON]) -> list[JSON]:
    """The names and values that a run was given, without what a flow's deployment itself adds."""
    values = {each["name"]: str(each.get("value") or "") for each in parameters}
    if _are_of_a_flow(values):
        values = {
            name: plain
            for name, text in values.items()
            if name not in ABOUT_RUN and (plain := _decoded(text)) is not None
        }
    return [{"name": name, "value": value[:TEXT]} for name, value in values.items()]


def _asked(parameter: JSON, encoded: bool) -> JSON:
    value = parameter.get("value") if parameter.get("value") is not None else parameter.get("default")
    return {
        "name": parameter["name"],
        "value": _decoded(str(value)) if encoded and value is not None else value,
        "required": value is None,
        "encoded": encoded,
        "description": str(parameter.get("description") or "")[:TEXT],
        "enum": parameter.get("enum") or [],
    }


def _are_of_a_flow(names: Iterable[str]) -> bool:
    return TAGS in names


def _named(notes: Mapping[str, str]) -> frozenset[str]:
    """The names of a flow's own Parameters."""
    with suppress(ValueError, TypeError):
        return frozenset(json.loads(notes.get(OF_FLOW) or "{}"))
    return frozenset()


def _decoded(text: str) -> str | None:
    """The value that a text stands for, or None. A text that a person wrote by hand stays as it is."""
    if text == NOT_GIVEN:
        return None
    if text.startswith(ENCODED):
        with suppress(ValueError):
            return base64.b64decode(text.removeprefix(ENCODED)).decode("utf-8", "surrogateescape")
    return text
