"""The objects that differ, without what is told of them in other words."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from metaflow_hera.comparison.fields import Named, changes, tree
from metaflow_hera.comparison.meaning import parameters_in
from metaflow_hera.comparison.records import ObjectChange
from metaflow_hera.comparison.states import State
from metaflow_hera.contract import environment, manifest
from metaflow_hera.contract.objects import CRON, JSON, TEMPLATE


@dataclass(frozen=True)
class Left:
    """What is left out of objects: keys of labels and annotations, variables, parameters, fields of crons.

    A key or a variable that ends in `*` stands for all that begin so.
    """

    keys: Collection[str]
    variables: Collection[str]
    parameters: Collection[str] = ()
    of_crons: Collection[str] = ()

    def of(self, key: str) -> Collection[str]:
        """What is left out of the field of that name, wherever it is."""
        return {"labels": self.keys, "annotations": self.keys, "env": self.variables}.get(key, ())


ALWAYS = Left(
    keys=(
        *(manifest.PRODUCTION_TOKEN, manifest.DEPLOYMENT_TIMESTAMP, manifest.OWNER, manifest.USER_KEYS),
        # Argo's server says by these whose token it was.
        *(f"{manifest.ARGO_PREFIX}{who}*" for who in ("creator", "actor", "action")),
    ),
    # Where it was packed and by whom is no part of what runs; the version of Metaflow is told of the package.
    variables=("METAFLOW_VERSION", "METAFLOW_PRODUCTION_TOKEN", environment.OWNER),
    parameters=(manifest.CODE_PARAMETER,),
    of_crons=("suspend",),  # as somebody has left it, whatever the version
)
"""What differs from one deployment to the next of the same, or is told of it as a whole."""
TOLD = Left(
    keys=(manifest.PARAMETERS, manifest.TRIGGERS),
    variables=(
        *(environment.RUN_TAGS, environment.SCHEDULED_TIME),
        *(f"{environment.PARAMETER}*", f"{environment.EVENT}*"),
    ),
    parameters=manifest.OWN_PARAMETERS,
    of_crons=("schedule", "schedules", "timezone"),
)
"""What follows from the Parameters, the schedules and the events, which are told by themselves."""


def object_changes(old: State, new: State) -> Iterator[ObjectChange]:
    """The objects that differ; those that go come last."""
    own = (*parameters_in(old.template), *parameters_in(new.template))
    before, after = ({_place(item): item for item in state.objects} for state in (old, new))
    for place, item in after.items():
        there = before.get(place)
        if there is None:
            yield ObjectChange(*place, "added", ())
            continue
        was, will = (_left(_content(each, there, item), ALWAYS) for each in (there, item))
        if was != will:
            fields = tuple(changes(_left(was, TOLD, own), _left(will, TOLD, own)))
            yield ObjectChange(*place, "changed", fields)
    for place in before:
        if place not in after:
            yield ObjectChange(*place, "removed", ())


def _place(item: JSON) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def _content(item: JSON, *both: JSON) -> JSON:
    """What a user asked for in an object. An export leaves the namespace to whoever deploys it."""
    metadata = {key: item["metadata"].get(key) for key in ("labels", "annotations")}
    if all(each["metadata"].get("namespace") for each in both):
        metadata["namespace"] = item["metadata"]["namespace"]
    found = tree({"metadata": metadata, "spec": item["spec"]})
    return {"kind": item["kind"], **found}


def _left(content: JSON, left: Left, own: Collection[str] = ()) -> JSON:
    """The content of an object without some of it, and without the flow's `own` Parameters."""
    found: JSON = _without(content, left)
    spec = dict(found.get("spec") or {})
    if content["kind"] == TEMPLATE and "arguments" in spec:
        arguments = spec["arguments"]
        kept = _kept(arguments.get("parameters") or Named(), (*left.parameters, *own))
        spec["arguments"] = {**arguments, "parameters": kept}
    if content["kind"] == CRON:
        spec = {key: value for key, value in spec.items() if key not in left.of_crons}
    return {**found, "spec": spec}


def _without(value: Any, left: Left, key: str = "") -> Any:
    if isinstance(value, dict):
        kept = _kept(value, left.of(key))
        return type(value)({name: _without(each, left, name) for name, each in kept.items()})
    return [_without(each, left) for each in value] if isinstance(value, list) else value


def _kept(value: dict[str, Any], leave: Collection[str]) -> dict[str, Any]:
    begins = tuple(name[:-1] for name in leave if name.endswith("*"))
    kept = {
        key: each for key, each in value.items() if key not in leave and not key.startswith(begins or ("\0",))
    }
    return type(value)(kept)
