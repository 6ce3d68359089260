"""Events from outside: at Argo's own endpoint, and at a webhook like the one Argo Events has for Metaflow.

Both pass them to the sensors. An answer means that the event is stored, together with what it starts.
"""

from __future__ import annotations

from starlette.responses import Response

from metaflow_hera.embedded.api.http import Call, json_response

WEBHOOK = "/webhook"
DEFAULT_NAMESPACE = "default"


def open_path(secret: str) -> str:
    """The beginning of the webhook's paths that need no token; a namespace follows."""
    return f"{WEBHOOK}/{secret}/"


def receive(call: Call) -> Response:
    """Receive an event; its body is any JSON object."""
    engine = call.services.engine
    namespace = call.namespace or DEFAULT_NAMESPACE
    engine.call(lambda: engine.sensors.receive(namespace, call.body, engine.wall()))
    return json_response({})
