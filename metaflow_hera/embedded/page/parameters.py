"""The parameters of deployments and runs as a person gives and reads them.

Those of a flow travel in a form of their own (see `graph.values`), among others that tell of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from metaflow_hera.contract.manifest import OWN_PARAMETERS, TAGS_PARAMETER
from metaflow_hera.contract.values import decode
from metaflow_hera.embedded.page.reading import TEXT
from metaflow_hera.embedded.storage.reader import JSON

OF_FLOW = "metaflow/parameters"
"""The annotation of a flow's deployment that describes its Parameters."""


def asked(template: JSON) -> list[JSON]:
    """What a workflow template asks for.

    `value` is the default, None where there is none; `required` says that one must be given, `encoded` that
    it is to be sent in a flow's form.
    """
    parameters = (template["spec"].get("arguments") or {}).get("parameters") or []
    encoded = _are_of_a_flow(each["name"] for each in parameters)
    if encoded:
        names = _named(template["metadata"].get("annotations") or {})
        parameters = [each for each in parameters if each["name"] in names]
    return [_asked(each, encoded) for each in parameters]


def given(parameters: Iterable[JSON]) -> list[JSON]:
    """What a run was given: names and values, without what a flow's deployment itself adds."""
    values = {each["name"]: str(each.get("value") or "") for each in parameters}
    if _are_of_a_flow(values):
        values = {
            name: plain
            for name, text in values.items()
            if name not in OWN_PARAMETERS and (plain := _decoded(text)) is not None
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
    return TAGS_PARAMETER in names


def _named(notes: Mapping[str, str]) -> frozenset[str]:
    """The names of a flow's own Parameters."""
    with suppress(ValueError, TypeError):
        return frozenset(json.loads(notes.get(OF_FLOW) or "{}"))
    return frozenset()


def _decoded(text: str) -> str | None:
    """The value behind a text; one that a person wrote by hand may be in no form, and stays as it is."""
    try:
        return decode(text)
    except ValueError:
        return text
