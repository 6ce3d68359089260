"""A flow's Parameters as the parameters of a workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hera.shared.serialization import MISSING
from hera.workflows import Env, Parameter
from hera.workflows.models import Parameter as ParameterModel

from metaflow_hera.errors import FlowError, UnsupportedError
from metaflow_hera.graph import values
from metaflow_hera.metaflow_api import flows

ANNOTATION = "metaflow/parameters"


def workflow_parameters(parameters: Iterable[flows.Parameter]) -> list[ParameterModel]:
    """The parameters of the workflow, with the defaults evaluated at deployment, and one for a run's tags.

    One that must be given has no value: Argo itself refuses to start a run without it.
    """
    tags = Parameter(name=values.TAGS_PARAMETER, description="Tags for this run, a JSON list", value="[]")
    own = [
        Parameter(
            name=parameter.name,
            description=_plain(parameter.help),
            # Hera takes None for a value, JSON's null.
            value=MISSING if parameter.must_be_given else values.encode(parameter.default),
        ).as_argument()
        for parameter in parameters
    ]
    return [*own, tags.as_argument()]


def environment(parameters: Iterable[flows.Parameter]) -> list[Env]:
    """The variables in which pods get the values, as Metaflow's `init` reads them, and a run's tags.

    The first step's pod alone uses the values; having them in all lets all steps share a template.
    """
    return [
        Env(name="METAFLOW_HERA_RUN_TAGS", value="{{workflow.parameters." + values.TAGS_PARAMETER + "}}"),
        *(
            Env(
                name="METAFLOW_INIT_" + parameter.name.upper().replace("-", "_"),
                value="{{workflow.parameters." + parameter.name + "}}",
            )
            for parameter in parameters
        ),
    ]


def annotation(parameters: Iterable[flows.Parameter]) -> str:
    """What `mfhera trigger` must know of the Parameters to check values; the keys are Metaflow's plugin's."""
    described: Mapping[str, Mapping[str, Any]] = {
        parameter.name: {
            "python_var_name": parameter.variable,
            "name": parameter.name,
            "value": parameter.default,
            "type": parameter.kind,
            "description": parameter.help,
            "is_required": parameter.required,
            **({"is_text": parameter.encoding is not None} if parameter.kind == "FilePath" else {}),
            **({"encoding": parameter.encoding} if parameter.encoding is not None else {}),
        }
        for parameter in parameters
    }
    return json.dumps(described)


def check(parameters: Iterable[flows.Parameter]) -> None:
    """Raise FlowError for a Parameter whose default cannot be meant, UnsupportedError for its name."""
    seen: dict[str, str] = {}
    for parameter in parameters:
        if parameter.name == values.TAGS_PARAMETER:
            raise UnsupportedError(
                f"A Parameter cannot be called {values.TAGS_PARAMETER!r}, that for a run's tags: rename it."
            )
        wanted = None if parameter.default is None else values.misfit(parameter.kind, parameter.default)
        if wanted is not None:
            raise FlowError(
                f"The default of Parameter {parameter.name!r} is to be {wanted}, not {parameter.default!r}."
            )
        other = seen.setdefault(parameter.name.lower().replace("-", "_"), parameter.name)
        if other != parameter.name:
            raise UnsupportedError(
                f"The Parameters {other!r} and {parameter.name!r} differ in case or hyphens only: Metaflow "
                "reads both from one variable. Rename one of them."
            )


def _plain(text: str | None) -> str | None:
    """A description without what Argo would take for one of its own variables."""
    return None if text is None else text.replace("{{", "{ {").replace("}}", "} }")
