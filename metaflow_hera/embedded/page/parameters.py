"""The parameters of deployments and runs as a person gives and reads them.

Beside Argo's own rules the page follows one: a workflow with a parameter `metaflow-run-tags` is a flow's.

- Its parameters `ABOUT_RUN` describe the run itself. The annotation `metaflow/parameters` of its workflow
  template, a JSON object, names those that people give, with their types.
- Values that Argo or Kubernetes would change travel as `base64:` and the base64 of their UTF-8 (see
  `static/values.js`, which writes it); `null` is no value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from metaflow_hera.embedded.json_object import JSON, NOT_JSON
from metaflow_hera.embedded.page.reading import TEXT

OF_FLOW = "metaflow/parameters"
"""The annotation of a flow's deployment that describes its Parameters."""

TAGS, CODE_PACKAGE = "metaflow-run-tags", "metaflow-code-package"
ABOUT_RUN = frozenset({TAGS, CODE_PACKAGE, "metaflow-scheduled-time"})
"""Parameters that nobody gives by hand."""

ENCODED = "base64:"
NOT_GIVEN = "null"
TRAVELS_BADLY = re.compile(
    "{{|[$\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff\U000e0000-\U0010ffff]|^null\\Z|^base64:"
)
"""What `static/values.js` encodes."""
HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters."""
VARIABLE = "METAFLOW_INIT_"
"""A flow's pods have each Parameter in a variable of this and its name."""
LONGEST = 131_072
"""The bytes of a variable with its name: Linux' MAX_ARG_STRLEN."""

YES = ("1", "true", "t", "yes", "y", "on")
NO = ("0", "false", "f", "no", "n", "off")
"""What a bool may be, in lower case."""

WORDS = {"JSON": "JSON text", "bool": "a boolean (true or false)", "int": "an int"}
"""What a Parameter of a type must be, where that is not just "a" and the type."""


def asked(template: JSON) -> list[JSON]:
    """What a workflow template asks for, in its order.

    `value` is the default, None if there is none; `required` says that a value must be given, `encoded` that
    it travels in a flow's form; `type` is the Parameter's, "" for a workflow that is not a flow's.
    """
    parameters = (template["spec"].get("arguments") or {}).get("parameters") or []
    if not _are_of_a_flow(each["name"] for each in parameters):
        return [_asked(each, encoded=False, kind="") for each in parameters]
    types = _types(template["metadata"].get("annotations") or {})
    return [
        _asked(each, encoded=True, kind=types[each["name"]]) for each in parameters if each["name"] in types
    ]


def misfits(template: JSON, texts: JSON) -> JSON:
    """What is wrong with the values that somebody has typed, by the names of their parameters."""
    fields = {each["name"]: each for each in asked(template)}
    return {name: wrong for name, text in texts.items() if (wrong := _wrong(fields.get(name), str(text)))}


def _wrong(field: JSON | None, text: str) -> str | None:
    """What is wrong with a text for a field of the form, in words. The rules are the command line's."""
    if field is None or not field["encoded"]:
        return None
    if (fault := _cannot_travel(field["name"], text)) is not None:
        return f"It {fault}."
    wanted = _misfit(field["type"], text)
    return None if wanted is None else f"It must be {wanted}."


def _cannot_travel(name: str, text: str) -> str | None:
    """Why no pod can be given a text as the value of a Parameter."""
    if "\0" in text:
        return "has a NUL character (\\u0000), which the environment of a pod cannot hold"
    if found := HALVES.search(text):
        return f"has half a character (\\u{ord(found[0]):04x}), which is no valid text"
    content = text.encode("utf-8", "surrogateescape")
    is_encoded = TRAVELS_BADLY.search(text) is not None
    length = len(ENCODED) + len(base64.b64encode(content)) if is_encoded else len(content)
    most = LONGEST - len(VARIABLE) - len(name) - len("=\0")
    if length <= most:
        return None
    return (
        f"has {length} bytes{' as base64' * is_encoded}, and the environment of a pod takes at most {most} "
        "for it: declare an IncludeFile in its place, whose content travels by the datastore"
    )


def _misfit(kind: str, text: str) -> str | None:
    """What a Parameter of this type must be if a text is no such thing."""
    try:
        if kind == "int":
            int(text)
        elif kind == "float":
            float(text)
        elif kind == "JSON":
            json.loads(text)
        elif kind == "bool" and text.lower() not in (*YES, *NO):
            raise ValueError
    except NOT_JSON:
        return WORDS.get(kind, f"a {kind}")
    return None


def given(parameters: Iterable[JSON], longest: int | None = TEXT) -> list[JSON]:
    """The names and values that a run was given, without what a flow's deployment itself adds.

    Of a value at most `longest` characters are returned.
    """
    values = {each["name"]: str(each.get("value") or "") for each in parameters}
    if _are_of_a_flow(values):
        values = {
            name: plain
            for name, text in values.items()
            if name not in ABOUT_RUN and (plain := decoded(text)) is not None
        }
    return [{"name": name, "value": value[:longest]} for name, value in values.items()]


def _asked(parameter: JSON, encoded: bool, kind: str) -> JSON:
    value = parameter.get("value") if parameter.get("value") is not None else parameter.get("default")
    shown = decoded(str(value)) if encoded and value is not None else value
    return {
        "name": parameter["name"],
        "value": shown,
        "type": kind,
        "on": kind == "bool" and str(shown).lower() in YES,
        "required": value is None,
        "encoded": encoded,
        "description": str(parameter.get("description") or "")[:TEXT],
        "enum": parameter.get("enum") or [],
    }


def _are_of_a_flow(names: Iterable[str]) -> bool:
    return TAGS in names


def _types(notes: Mapping[str, str]) -> dict[str, str]:
    """The types of a flow's own Parameters, by their names."""
    with suppress(*NOT_JSON, TypeError, AttributeError):
        described = json.loads(notes.get(OF_FLOW) or "{}")
        return {name: str(about.get("type") or "") for name, about in described.items()}
    return {}


def decoded(text: str) -> str | None:
    """The value that a text stands for, or None. A text that a person wrote by hand stays as it is."""
    if text == NOT_GIVEN:
        return None
    if text.startswith(ENCODED):
        with suppress(ValueError):
            return base64.b64decode(text.removeprefix(ENCODED)).decode("utf-8", "surrogateescape")
    return text
