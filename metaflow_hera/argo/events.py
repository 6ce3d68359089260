"""Publishing an event by hand, in the form of Metaflow's ArgoEvent."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.settling import unknown
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ArgoError, ArgoUnanswered, UsageError
from metaflow_hera.metaflow_api.light.configuration import sensor_namespace
from metaflow_hera.metaflow_api.light.webhook import post, webhook

NAMES = ("body.payload.name", "body.name")
"""Where the name of an event is."""
ONE_TEXT = re.compile(r"\^((?:[\w-]|\\.)*)\$", re.DOTALL)
"""The pattern of a filter for one text, as `create` writes it."""


@dataclass(frozen=True)
class Sent:
    """An event that was published: its id, and where.

    `unheard_in` is the namespace with sensors none of which waits for events of this name; None if one may,
    or if that is not known.
    """

    id: str
    place: str
    unheard_in: str | None = None


def publish(client: ArgoClient, name: str, payload: Mapping[str, Any]) -> Sent:
    """Publish an event with a payload.

    On a cluster it goes to the webhook of Argo Events that Metaflow is configured with, if there is one,
    else to Argo's own endpoint for events, which workflow event bindings listen to; the embedded Argo has
    the latter.
    """
    if not name.strip():
        raise UsageError("An event needs a name, such as the one in @trigger(event=...).")
    identity = str(uuid.uuid4())
    about = {
        "name": name,
        "id": identity,
        "timestamp": int(time.time()),
        "utc_date": datetime.now(timezone.utc).strftime("%Y%m%d"),
        "generated-by-metaflow": True,
    }
    event = {"name": name, "payload": {**about, **payload}}
    if client.target.embedded:
        _send(client, event)
        return Sent(identity, str(client.target), _unheard_in(client, client.target.namespace, name))
    url = webhook()
    if url is None:
        _send(client, event)
        return Sent(identity, f"{client.target}, for workflow event bindings")
    namespace = sensor_namespace() or client.target.namespace
    post(url, event)
    return Sent(identity, url, _unheard_in(client, namespace, name))


def _send(client: ArgoClient, event: JSON) -> None:
    try:
        client.send_event(event)
    except ArgoUnanswered as error:  # Argo keeps no list of events to look in
        raise unknown(error, "the event was published", "mfhera runs --all") from error


def _unheard_in(client: ArgoClient, namespace: str, name: str) -> str | None:
    try:
        sensors = list(client.sensors(namespace))
    except ArgoError:  # the event is published all the same
        return None
    dependencies = [each for sensor in sensors for each in sensor["spec"].get("dependencies") or ()]
    return None if any(_may_wait(each.get("filters") or {}, name) for each in dependencies) else namespace


def _may_wait(filters: JSON, name: str) -> bool:
    """Whether the filters of a dependency let an event of a name through, as far as they can be read here.

    Those of `create` have a pattern for the name, those of Metaflow's own plugin an expression.
    """
    data, expressions = filters.get("data") or (), filters.get("exprs") or ()
    if "or" in (filters.get("dataLogicalOperator"), filters.get("exprLogicalOperator")):
        return True
    for each in data:
        if each.get("path") in NAMES and each.get("comparator") in (None, "", "="):
            wanted = [ONE_TEXT.fullmatch(str(value)) for value in each.get("value") or ()]
            if all(found and _unescaped(found[1]) != name for found in wanted):
                return False
    for each in expressions:
        for field in each.get("fields") or ():
            equal = re.fullmatch(rf"{re.escape(str(field.get('name')))} == '([^']*)'", str(each.get("expr")))
            if field.get("path") in NAMES and equal and equal[1] != name:
                return False
    return True


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)
