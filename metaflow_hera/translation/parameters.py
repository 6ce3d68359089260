"""A flow's Parameters as the parameters of a workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hera.shared.serialization import MISSING
from hera.workflows import Env, Parameter
from hera.workflows.models import Parameter as ParameterModel

from metaflow_hera.contract import manifest, values
from metaflow_hera.contract.environment import PARAMETER, RUN_TAGS, SCHEDULED_TIME, parameter_variable
from metaflow_hera.contract.kubernetes import PARAMETER_NAME
from metaflow_hera.errors import FlowError, UnsupportedError, quoted
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.flows import Parameter as FlowParameter
from metaflow_hera.metaflow_api.load.packages import CodePackage
from metaflow_hera.translation.argo_tags import workflow_parameter
from metaflow_hera.translation.events import Events


def workflow_parameters(
    flow: LoadedFlow, events: Events | None, package: CodePackage
) -> list[ParameterModel]:
    """The parameters of the workflow.

    The flow's own, with the defaults evaluated at deployment; one for a run's tags, and one for the URL of
    the code package; one for the time that it was scheduled for; and one for each event that may start it. A
    Parameter that must be given has no value: Argo itself refuses to start a run without it.
    """
    own = [
        Parameter(
            name=parameter.name,
            description=_plain(parameter.help),
            # Hera reads None as a value, JSON's null.
            value=MISSING if parameter.must_be_given else values.encode(parameter.default),
        )
        for parameter in flow.parameters
    ]
    about_run = [
        Parameter(name=manifest.TAGS_PARAMETER, description="Tags for this run, a JSON list", value="[]"),
        Parameter(
            name=manifest.CODE_PARAMETER,
            description="Where the code package is; mfhera retry --with-new-code gives another one",
            value=values.encode(package.url),
        ),
        Parameter(
            name=manifest.SCHEDULED_TIME_PARAMETER,
            description="The time that this run was scheduled for, by a schedule or mfhera backfill",
            value=values.NOT_GIVEN,
        ),
    ]
    if events is not None:
        about_run += [
            Parameter(
                name=dependency.name,
                description=f"The event {dependency.trigger.name} that started this run",
                value=values.NOT_GIVEN,
            )
            for dependency in events.dependencies
        ]
    return [parameter.as_argument() for parameter in (*own, *about_run)]


def environment(flow: LoadedFlow, events: Events | None) -> list[Env]:
    """The variables in which pods get the workflow's parameters.

    Those of the flow are as Metaflow's `init` reads them: only the first step's pod uses them, but all pods
    have them, so that all steps can share a template.
    """
    found = {RUN_TAGS: manifest.TAGS_PARAMETER, SCHEDULED_TIME: manifest.SCHEDULED_TIME_PARAMETER}
    if events is not None:
        found |= {dependency.variable: dependency.name for dependency in events.dependencies}
    found |= {parameter_variable(parameter.name): parameter.name for parameter in flow.parameters}
    return [Env(name=variable, value=workflow_parameter(name)) for variable, name in found.items()]


def names_in(templates: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of a flow's Parameters, from the JSON of its templates: its pods have a variable for each."""
    before, after = workflow_parameter("NAME").split("NAME")
    return {
        each["value"].removeprefix(before).removesuffix(after)
        for template in templates
        for each in (template.get("container") or {}).get("env") or ()
        if each["name"].startswith(PARAMETER)
    }


def annotation(parameters: Iterable[FlowParameter]) -> str:
    """What `mfhera trigger` needs to check the Parameters' values; the keys are Metaflow's plugin's."""
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


def check(parameters: Iterable[FlowParameter]) -> None:
    """Raise FlowError for a default that is not of its Parameter's type, UnsupportedError for a bad name."""
    seen: dict[str, str] = {}
    for parameter in parameters:
        if parameter.name in manifest.OWN_PARAMETERS:
            raise UnsupportedError(
                f"A Parameter cannot be called {parameter.name!r}: "
                "every run already has one of that name. Rename it."
            )
        if not PARAMETER_NAME.fullmatch(parameter.name):
            raise UnsupportedError(
                f"A Parameter cannot be called {parameter.name!r}: "
                "Argo allows letters of ASCII, digits, '-' and '_'. Rename it."
            )
        variable = parameter_variable(parameter.name)
        wrong = None if parameter.default is None else values.cannot_travel(variable, parameter.default)
        if wrong is not None:
            raise FlowError(f"The default of Parameter {parameter.name!r} {wrong}.")
        wanted = None if parameter.default is None else values.misfit(parameter.kind, parameter.default)
        if wanted is not None:
            raise FlowError(
                f"The default of Parameter {parameter.name!r} must be {wanted}, "
                f"not {quoted(str(parameter.default))}."
            )
        other = seen.setdefault(parameter.name.lower().replace("-", "_"), parameter.name)
        if other != parameter.name:
            raise UnsupportedError(
                f"The Parameters {other!r} and {parameter.name!r} differ only in case or hyphens: "
                "Metaflow reads both from one variable. Rename one of them."
            )


def _plain(text: str | None) -> str | None:
    """A description without what Argo would read as one of its own variables."""
    return None if text is None else text.replace("{{", "{ {").replace("}}", "} }")
