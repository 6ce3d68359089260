"""What deploying or deleting a flow changes at a server, as plain data, and how to undo it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from metaflow_hera.argo.objects import is_cron_of, sensor_place, template_of, templates_of
from metaflow_hera.contract import manifest
from metaflow_hera.contract.objects import API_VERSION, CRON, JSON, SENSOR, TEMPLATE
from metaflow_hera.errors import NameTakenError

OURS = (manifest.METAFLOW_PREFIX, manifest.TITLE, manifest.DESCRIPTION)
"""Annotations and labels that a deployment owns: those of an older version do not stay."""
VERSION = ("resourceVersion", "uid")
"""By these Kubernetes recognises the version of an object that a PUT replaces."""
SERVERS = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""Metadata that only the server writes. All other that is not ours stays: finalizers, owners."""

Action = Literal["create", "replace", "delete", "keep"]


@dataclass(frozen=True)
class Present:
    """What a server has that concerns a deployment.

    `template` is None where there is no deployment. `crons` are all cron workflows of the `namespace`,
    `sensors` those where the deployment has its sensor, or will have it.
    """

    name: str
    namespace: str
    template: JSON | None = None
    crons: Sequence[JSON] = ()
    sensors: Sequence[JSON] = ()

    def sensor(self, name: str, namespace: str) -> JSON | None:
        """The sensor of a name in a namespace."""
        return next((each for each in self.sensors if _place(each) == (name, namespace)), None)


@dataclass(frozen=True)
class Change:
    """What is done to one object.

    `before` is what the server has, `after` what it is given, each None where there is nothing. `wanted` is
    `after` without the labels and annotations that others gave to `before`.
    """

    kind: str
    name: str
    namespace: str
    before: JSON | None
    after: JSON | None
    wanted: JSON | None

    @property
    def action(self) -> Action:
        """What is done: an object that is already as wanted is kept."""
        if self.before is None:
            return "create"
        if self.after is None:
            return "delete"
        return "keep" if _content(self.before) == _content(self.after) else "replace"

    def undone(self) -> Change:
        """The change that makes the object what it was before."""
        restored = None if self.before is None else _without_version(self.before)
        return Change(self.kind, self.name, self.namespace, self.after, restored, restored)


@dataclass(frozen=True)
class Plan:
    """What is done to the objects of a deployment, in this order; what is kept is in it too."""

    deployment: str
    changes: tuple[Change, ...]

    @property
    def writes(self) -> tuple[Change, ...]:
        """The changes that write something: all but those that keep an object."""
        return tuple(change for change in self.changes if change.action != "keep")

    def undo(self) -> Plan:
        """The plan that makes everything what it was, once this one is carried out."""
        return Plan(self.deployment, tuple(change.undone() for change in reversed(self.writes)))


def plan_deployment(present: Present, wanted: Sequence[JSON]) -> Plan:
    """The plan that turns a deployment into the wanted objects: one template and what starts it.

    The template comes first, and what only an older version had is deleted last. Raises NameTakenError if
    something that starts another template has the name of one of the objects.
    """
    by_kind = {kind: [item for item in wanted if item["kind"] == kind] for kind in (TEMPLATE, CRON, SENSOR)}
    (template,) = by_kind[TEMPLATE]
    crons = {cron["metadata"]["name"]: cron for cron in present.crons}
    changes = [
        plan_change(template, present.template, present.name),
        *(plan_change(item, crons.get(item["metadata"]["name"]), present.name) for item in by_kind[CRON]),
        *(plan_change(item, present.sensor(*_place(item)), present.name) for item in by_kind[SENSOR]),
    ]
    names = {item["metadata"]["name"] for item in by_kind[CRON]}
    changes += [change for change in _cron_removals(present) if change.name not in names]
    places = {_place(item) for item in by_kind[SENSOR]}
    told = present.template and sensor_place(present.template, present.namespace)
    changes += [
        change
        for change in _sensor_removals(present)
        if (change.name, change.namespace) == told and told not in places
    ]
    return Plan(present.name, tuple(changes))


def plan_removal(present: Present) -> Plan:
    """The plan that removes a deployment.

    What starts runs is deleted first, so that nothing starts from a template that is about to go.
    """
    changes = [*_cron_removals(present), *_sensor_removals(present)]
    if present.template is not None:
        changes.append(_removal(TEMPLATE, present.template))
    return Plan(present.name, tuple(changes))


def plan_change(wanted: JSON, before: JSON | None, deployment: str) -> Change:
    """The change that turns an object of a deployment into the wanted one.

    Raises NameTakenError if the existing one starts another template.
    """
    kind, (name, namespace) = wanted["kind"], _place(wanted)
    if before is None:
        return Change(kind, name, namespace, None, wanted, wanted)
    _check_starts(kind, before, deployment)
    return Change(kind, name, namespace, before, _merged(wanted, before), wanted)


def _check_starts(kind: str, found: JSON, deployment: str) -> None:
    if kind == TEMPLATE:
        return
    started = [template_of(found)] if kind == CRON else templates_of(found)
    if deployment not in started:
        name = found["metadata"]["name"]
        raise NameTakenError(
            f"There is already a {kind} {name}, which starts {', '.join(started) or 'others'}: "
            f"give the flow another name with --name, or delete that {kind} first."
        )


def _merged(wanted: JSON, before: JSON) -> JSON:
    """A wanted object that replaces an existing one, with what others added to that one."""
    there = before["metadata"]
    metadata = {key: value for key, value in there.items() if key not in SERVERS} | wanted["metadata"]
    own = ((there.get("annotations") or {}).get(manifest.USER_KEYS) or "").split(",")
    for key in ("labels", "annotations"):
        others = {k: v for k, v in (there.get(key) or {}).items() if not k.startswith(OURS) and k not in own}
        metadata[key] = {**others, **metadata.get(key, {})}
    merged = {**wanted, "metadata": metadata}
    if wanted["kind"] == CRON:  # one that somebody has suspended stays so
        spec = {key: value for key, value in wanted["spec"].items() if key != "suspend"}
        merged["spec"] = {**spec, "suspend": True} if before["spec"].get("suspend") else spec
        if before.get("status"):  # by which Argo knows what it has started, and has missed: a PUT replaces it
            merged["status"] = before["status"]
    return merged


def belonging(present: Present) -> list[JSON]:
    """What a server has of a deployment, as it could be sent again: the template, then what starts it."""
    found = [(TEMPLATE, present.template)] if present.template is not None else []
    found += [(CRON, cron) for cron in _crons_of(present)]
    found += [(SENSOR, each) for each in _sensors_of(present)]
    return [_as_sent(kind, item) for kind, item in found]


def companions_of(present: Present) -> tuple[list[JSON], list[JSON]]:
    """The cron workflows and the sensors that a server has of a deployment."""
    return _crons_of(present), _sensors_of(present)


def sensor_of(objects: Sequence[JSON]) -> tuple[str, str] | None:
    """The name and the namespace of the sensor among some objects, None if there is none."""
    return next((_place(item) for item in objects if item["kind"] == SENSOR), None)


def _as_sent(kind: str, item: JSON) -> JSON:
    metadata = _without_version(item)["metadata"]
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": item["spec"]}


def _without_version(item: JSON) -> JSON:
    """An object in the form that a server accepts again."""
    kept = {key: value for key, value in item["metadata"].items() if key not in (*SERVERS, *VERSION)}
    return {**item, "metadata": kept}


def _content(item: JSON) -> tuple[JSON, JSON, JSON]:
    """What a user asked for in an object, without what the server adds."""
    metadata = item["metadata"]
    return item["spec"], metadata.get("labels") or {}, metadata.get("annotations") or {}


def _cron_removals(present: Present) -> list[Change]:
    return [_removal(CRON, cron) for cron in _crons_of(present)]


def _sensor_removals(present: Present) -> list[Change]:
    return [_removal(SENSOR, each) for each in _sensors_of(present)]


def _crons_of(present: Present) -> list[JSON]:
    return [cron for cron in present.crons if is_cron_of(cron, present.name)]


def _sensors_of(present: Present) -> list[JSON]:
    return [each for each in present.sensors if present.name in templates_of(each)]


def _removal(kind: str, item: JSON) -> Change:
    name, namespace = _place(item)
    return Change(kind, name, namespace, item, None, None)


def _place(item: JSON) -> tuple[str, str]:
    return item["metadata"]["name"], item["metadata"]["namespace"]
