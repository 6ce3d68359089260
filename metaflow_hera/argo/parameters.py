"""Values for a run's Parameters, checked against the deployment before anything is sent."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from metaflow_hera.contract.environment import parameter_variable
from metaflow_hera.contract.values import cannot_travel, encode, misfit
from metaflow_hera.errors import ParameterError, quoted


def checked(given: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The values as `NAME=VALUE`, ready for Argo.

    `given` holds text as typed or JSON values, for an IncludeFile what it has stored; `declared` is what
    `Deployed.parameters` holds.
    Raises ParameterError for an unknown name, a value of the wrong type, or a required one left out.
    """
    for name in given:
        if name not in declared:
            raise ParameterError(_unknown(name, declared))
        if declared[name]["type"] == "FilePath" and not str(given[name]).startswith("{"):
            # Only the flow knows how to store it.
            raise ParameterError(
                f"{name!r} is an IncludeFile: name the flow's script as well, which says how to store it, "
                f"as in mfhera trigger FLOW.py --param {name}=PATH."
            )
    for name, parameter in declared.items():
        if given.get(name) is None and parameter.get("is_required") and parameter.get("value") is None:
            raise ParameterError(f"Parameter {name!r} is required: give it with --param {name}=VALUE.")
    texts = {name: _text(value) for name, value in given.items()}
    for name, text in texts.items():
        if text is None:
            continue
        if (wrong := cannot_travel(parameter_variable(name), text)) is not None:
            raise ParameterError(f"The value of Parameter {name!r} {wrong}.")
        if (wanted := misfit(str(declared[name]["type"]), text)) is not None:
            raise ParameterError(f"Parameter {name!r} must be {wanted}, not {quoted(text)}.")
    return [f"{name}={encode(text)}" for name, text in texts.items()]


def _unknown(name: str, declared: Mapping[str, Any]) -> str:
    if not declared:
        return f"There is no Parameter {quoted(name)}: the flow has none."
    near = difflib.get_close_matches(name, declared, n=3, cutoff=0.5)
    if not near:
        return f"There is no Parameter {quoted(name)}; the flow has {', '.join(sorted(declared))}."
    return f"There is no Parameter {quoted(name)}; did you mean {' or '.join(near)}?"


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
