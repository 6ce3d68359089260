"""The objects that differ, without what is told of them in other words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from metaflow_hera.comparison.fields import Named, changes, tree
from metaflow_hera.comparison.meaning import parameter_changes, parameters_in, start_changes
from metaflow_hera.comparison.records import ObjectChange
from metaflow_hera.comparison.states import State
from metaflow_hera.contract import environment, manifest
from metaflow_hera.contract.objects import CRON, JSON, TEMPLATE

KEYS = (
    *(manifest.PRODUCTION_TOKEN, manifest.DEPLOYMENT_TIMESTAMP, manifest.OWNER, manifest.USER_KEYS),
    *(manifest.PARAMETERS, manifest.TRIGGERS, manifest.WARM),
    *(manifest.VERSION, manifest.VERSION_ID, manifest.CRON_WORKFLOWS),
    # Argo's server says by these whose token it was.
    *(f"{manifest.ARGO_PREFIX}{who}*" for who in ("creator", "actor", "action")),
)
"""Labels and annotations that are left out."""
VARIABLES = (
    # Where it was packed and by whom is no part of what runs; the version of Metaflow is told of the package.
    *("METAFLOW_VERSION", "METAFLOW_PRODUCTION_TOKEN", environment.OWNER, "USER"),
    *(environment.RUN_TAGS, environment.SCHEDULED_TIME, environment.VERSION),
    *(f"{environment.PARAMETER}*", f"{environment.EVENT}*"),
)
"""Variables that are left out."""
OF_CRONS = ("schedule", "schedules", "timezone", "suspend")
"""Fields of a cron workflow that are left out: whether somebody has suspended it is no part of a version."""
LEFT_OUT = {"labels": KEYS, "annotations": KEYS, "env": VARIABLES}
"""What is left out of objects, by the field that holds it: `*` stands for any ending.

It differs from one deployment to the next of the same, or follows from what is told by itself: the owner, the
Parameters, the schedules and the events.
"""


def object_changes(old: State, new: State) -> Iterator[ObjectChange]:
    """The objects that differ; those that go come last."""
    own = (*manifest.OWN_PARAMETERS, *parameters_in(old.template), *parameters_in(new.template))
    before, after = ({_place(item): item for item in state.objects} for state in (old, new))
    for place, item in after.items():
        there = before.get(place)
        if there is None:
            yield ObjectChange(*place, "added", ())
            continue
        both = (there, item)
        fields = tuple(changes(_content(there, both, own), _content(item, both, own)))
        was, will = (State([each], None) for each in (there, item))
        if fields or any(parameter_changes(was, will)) or any(start_changes(was, will)):
            yield ObjectChange(*place, "changed", fields)
    for place in before:
        if place not in after:
            yield ObjectChange(*place, "removed", ())


def _place(item: JSON) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def _content(item: JSON, both: Sequence[JSON], own: Collection[str]) -> JSON:
    """What a user asked for in an object, without what is left out and the `own` parameters of a template.

    An export leaves the namespace to whoever deploys it.
    """
    metadata = {key: item["metadata"].get(key) for key in ("labels", "annotations")}
    if all(each["metadata"].get("namespace") for each in both):
        metadata["namespace"] = item["metadata"]["namespace"]
    spec = _without_pod_metadata(item["spec"]) if item["kind"] == TEMPLATE else item["spec"]
    found: JSON = _without(tree({"metadata": metadata, "spec": spec}))
    spec = found.get("spec") or {}
    if item["kind"] == CRON:
        spec = {key: value for key, value in spec.items() if key not in OF_CRONS}
    if item["kind"] == TEMPLATE and "arguments" in spec:
        arguments = spec["arguments"]
        kept = _kept(arguments.get("parameters") or Named(), own)
        spec = {**spec, "arguments": {**arguments, "parameters": kept}}
    return {**found, "spec": spec}


def _without_pod_metadata(spec: JSON) -> JSON:
    """A spec whose templates do not have what `podMetadata` gives to all of them.

    Argo's server writes that into templates that have annotations or labels of their own (addPodMetadata in
    its sources: context.go).
    """
    of_all = spec.get("podMetadata") or {}
    templates = []
    for each in spec.get("templates") or ():
        metadata = dict(each.get("metadata") or {})
        for kind in ("labels", "annotations"):
            given = of_all.get(kind) or {}
            own = (metadata.get(kind) or {}).items()
            metadata[kind] = {name: text for name, text in own if given.get(name) != text}
        templates.append({**each, "metadata": metadata})
    return {**spec, "templates": templates}


def _without(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        kept = _kept(value, LEFT_OUT.get(key, ()))
        return type(value)({name: _without(each, name) for name, each in kept.items()})
    return [_without(each) for each in value] if isinstance(value, list) else value


def _kept(value: dict[str, Any], leave: Collection[str]) -> dict[str, Any]:
    """A dictionary without some keys, of those that end in `*` all that begin so."""
    begins = tuple(name[:-1] for name in leave if name.endswith("*"))
    kept = {key: each for key, each in value.items() if key not in leave and not key.startswith(begins)}
    return type(value)(kept)
