"""Publishing an event by hand, in the form of Metaflow's ArgoEvent."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.settling import unknown
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ArgoUnanswered, UsageError


@dataclass(frozen=True)
class Sent:
    """An event that was published: its id, and where."""

    id: str
    place: str


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
        return Sent(identity, str(client.target))
    # Imported here, since importing Metaflow takes time, and only a cluster needs it.
    from metaflow_hera.metaflow_api.read.webhook import post, webhook

    url = webhook()
    if url is None:
        _send(client, event)
        return Sent(identity, f"{client.target}, for workflow event bindings")
    post(url, event)
    return Sent(identity, url)


def _send(client: ArgoClient, event: JSON) -> None:
    try:
        client.send_event(event)
    except ArgoUnanswered as error:  # there is no place where an event could be looked up
        raise unknown(error, "the event was published", "mfhera runs --all") from error
