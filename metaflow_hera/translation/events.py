"""The events that start a flow: what it waits for, as the dependencies of a trigger, with all checks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from metaflow_hera.contract.environment import EVENT
from metaflow_hera.contract.manifest import event_name
from metaflow_hera.errors import UnsupportedError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow, Parameter
from metaflow_hera.metaflow_api.load.triggers import Trigger, TriggerGroup, trigger_groups
from metaflow_hera.translation.cron import argo_schedule, check_zone


@dataclass(frozen=True)
class Dependency:
    """An event that a flow waits for, under a name that Argo accepts in an expression.

    `parameters` maps Parameters of the flow to keys of the payload; `required` are those keys without
    which the event cannot start a run.
    """

    name: str
    trigger: Trigger
    parameters: Mapping[str, str]
    required: Sequence[str]

    @property
    def variable(self) -> str:
        """The environment variable of pods that has the event, named as Metaflow's plugin does."""
        return f"{EVENT}{self.trigger.kind}_{self.name}"


@dataclass(frozen=True)
class Events:
    """What starts a flow: its dependencies, and the groups of them, all of which must hold.

    Of a group, either any event or all events must have arrived. `resets` are cron expressions with their
    zones: at those times the events that have arrived are forgotten.
    """

    dependencies: Sequence[Dependency]
    groups: Sequence[tuple[bool, Sequence[str]]]
    resets: Sequence[tuple[str, str]]

    @property
    def needs_all(self) -> bool:
        """Whether it takes more than one event to start a run."""
        return len(self.groups) > 1 or any(not any_of and len(names) > 1 for any_of, names in self.groups)

    @property
    def condition(self) -> str | None:
        """The condition as Argo Events reads it; None if all must hold, which is the default."""
        if not any(any_of for any_of, _ in self.groups):
            return None
        parts = [(" || " if any_of else " && ").join(names) for any_of, names in self.groups]
        return parts[0] if len(parts) == 1 else " && ".join(f"({part})" for part in parts)


def events(flow: LoadedFlow) -> Events | None:
    """What starts a flow; None if no event does. Raises UnsupportedError for what could never start it."""
    groups = trigger_groups(flow)
    if not groups:
        return None
    found: dict[str, Dependency] = {}
    alone = sum(len(group.triggers) for group in groups) == 1
    for group in groups:
        for trigger in group.triggers:
            dependency = _dependency(flow, trigger, alone)
            known = found.setdefault(dependency.name, dependency)
            if known is not dependency:  # @trigger of the very event that a run publishes
                found[dependency.name] = replace(
                    known,
                    trigger=replace(known.trigger, filters={**known.trigger.filters, **trigger.filters}),
                    parameters={**known.parameters, **dependency.parameters},
                    required=tuple(dict.fromkeys((*known.required, *dependency.required))),
                )
    made = Events(
        tuple(found.values()),
        tuple((group.any_of, tuple(_name(trigger.name) for trigger in group.triggers)) for group in groups),
        tuple(dict.fromkeys(_resets(groups))),
    )
    _check_own_end(flow, made)
    _check_parameters(flow, made)
    return made


def _dependency(flow: LoadedFlow, trigger: Trigger, alone: bool) -> Dependency:
    own = {parameter.name.lower(): parameter for parameter in flow.parameters}
    mapped = dict(trigger.parameters)
    if alone and trigger.kind == "event" and not mapped:
        # As with Metaflow's plugin, a single event sets the Parameters that have the names of its keys.
        mapped = {name: parameter.name for name, parameter in own.items() if parameter.kind != "FilePath"}
    parameters = {}
    for name, key in mapped.items():
        parameter = own.get(name.lower())
        if parameter is None:
            raise UnsupportedError(
                f"@trigger maps the event {trigger.name} to the Parameter {name!r}, "
                "which the flow does not have."
            )
        if parameter.kind == "FilePath":
            raise UnsupportedError(
                f"@trigger maps the event {trigger.name} to {name!r}, an IncludeFile: "
                "an event carries no file."
            )
        parameters[parameter.name] = key
    required = [key for name, key in parameters.items() if own[name.lower()].must_be_given]
    return Dependency(_name(trigger.name), trigger, parameters, tuple(required))


def _name(event: str) -> str:
    digest = hashlib.sha1(event.encode(), usedforsecurity=False).hexdigest()[:6]
    return f"on_{re.sub('[^A-Za-z0-9]+', '_', event).strip('_')[:40]}_{digest}"


def _resets(groups: Sequence[TriggerGroup]) -> Iterator[tuple[str, str]]:
    for group in groups:
        if group.reset_cron is not None:
            zone = group.reset_zone or "UTC"
            check_zone(zone, f"{group.decorator}, reset_at timezone {zone!r}")
            yield (
                argo_schedule(group.reset_cron, f"{group.decorator}, reset_at cron {group.reset_cron!r}"),
                zone,
            )


def _check_own_end(flow: LoadedFlow, made: Events) -> None:
    own = event_name(flow.project.get("project_flow_name", flow.name), "end")
    for any_of, names in made.groups:
        if _name(own) in names and (len(made.groups) > 1 or (len(names) > 1 and not any_of)):
            raise UnsupportedError(
                f"{flow.name} waits for its own end together with something else: "
                "that cannot happen before it has run, so nothing would start it. Remove its own end."
            )


def _check_parameters(flow: LoadedFlow, made: Events) -> None:
    by_name = {dependency.name: dependency for dependency in made.dependencies}
    given: set[str] = set()
    for any_of, names in made.groups:
        mapped = [set(by_name[name].parameters) for name in dict.fromkeys(names)]
        together: set[str] = set().union(*mapped)
        sure = set.intersection(*mapped) if any_of else together
        often = [name for name in together if not any_of and sum(name in each for each in mapped) > 1]
        clash = sorted(often) or sorted(given & together)
        if clash:
            raise UnsupportedError(
                f"Two events that are both needed set the Parameter {clash[0]!r}: map only one of them to it."
            )
        given |= sure
    for parameter in flow.parameters:
        if parameter.must_be_given and parameter.name not in given:
            raise UnsupportedError(_not_given(parameter))


def _not_given(parameter: Parameter) -> str:
    return (
        f"Parameter {parameter.name!r} is required and has no default, "
        "and the events that start the flow do not set it: map a key of their payload to it with "
        "@trigger(event={'name': ..., 'parameters': {...}}), or give it a default."
    )
