"""The webhook of Argo Events that Metaflow is configured with."""

from __future__ import annotations

from typing import Any

import requests

from metaflow_hera.contract.environment import WEBHOOK_URL
from metaflow_hera.errors import ArgoError, ArgoUnreachable
from metaflow_hera.metaflow_api.light.configuration import setting

SECONDS = 30.0


def webhook() -> str | None:
    """Its address, or None if there is none."""
    return setting("ARGO_EVENTS_WEBHOOK_URL") or None


def post(url: str, event: Any) -> None:
    """Post an event, as JSON. Raises ArgoUnreachable or ArgoError."""
    headers = {}
    if setting("ARGO_EVENTS_WEBHOOK_AUTH") == "service":
        from metaflow import metaflow_config  # which makes them of several settings

        headers = metaflow_config.SERVICE_HEADERS
    try:
        answer = requests.post(url, json=event, headers=headers, timeout=SECONDS)
    except (OSError, ValueError) as error:  # also what cannot be sent
        raise ArgoUnreachable(
            f"The webhook for events, {url}, cannot be reached ({type(error).__name__}): "
            f"is {WEBHOOK_URL} right?"
        ) from error
    if not answer.ok:
        raise ArgoError(f"The webhook for events, {url}, refused the event ({answer.status_code}).")
