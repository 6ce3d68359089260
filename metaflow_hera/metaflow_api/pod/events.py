"""Events in a pod: what started the run, and what is published when a task has ended well.

Names and fields are those of Metaflow's own plugin (ArgoWorkflowsInternalDecorator), so that flows that
either has deployed can start each other.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any

from metaflow import current
from metaflow.events import Trigger
from metaflow.integrations import ArgoEvent

from metaflow_hera.contract.environment import EVENT, NO_EVENTS, SCHEDULED_TIME, WEBHOOK_URL
from metaflow_hera.contract.manifest import event_name
from metaflow_hera.contract.values import decode

PATIENCE = 10.0
"""Seconds that publishing an event may take: a webhook that hangs must not hold the run up."""
PROJECT_FIELDS = ("project_name", "branch_name", "is_user_branch", "is_production", "project_flow_name")


def take_from(env: MutableMapping[str, str]) -> None:
    """Decode the variables that came through Argo into what people and Metaflow read; remove empty ones."""
    for name in [name for name in env if name.startswith(EVENT) or name == SCHEDULED_TIME]:
        text = decode(env.pop(name))
        if text:
            env[name] = text


def tell_current(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Set `trigger` and `scheduled_time` (a datetime) in `current`, if there are any; returns the events."""
    found = []
    for name, text in sorted(env.items()):
        if name.startswith(EVENT):
            try:
                payload = json.loads(text)
            except ValueError:
                payload = None
            payload = payload if isinstance(payload, dict) else {}  # anyone can send an event
            kind = name.removeprefix(EVENT).partition("_")[0]
            found.append({key: payload.get(key) for key in ("timestamp", "id", "name")} | {"type": kind})
    if found:
        current._update_env({"trigger": Trigger([dict(event) for event in found])})
    with contextlib.suppress(KeyError, ValueError):
        moment = datetime.fromisoformat(env[SCHEDULED_TIME].replace("Z", "+00:00"))
        current._update_env({"scheduled_time": moment})
    return found


def publish_end(
    flow: str, step: str, run_id: str, task_id: str, env: Mapping[str, str], *, is_last: bool
) -> None:
    """Publish that a task has ended well, if the pod's environment names a webhook for events.

    An error is reported on stderr, and changes nothing about the task.
    """
    if not env.get(WEBHOOK_URL) or env.get(NO_EVENTS):
        return
    whole = current.get("project_flow_name", flow)
    names = [event_name(whole, step)]
    if is_last and step != "end":
        names.append(event_name(whole, "end"))  # flows that do not know the step's name wait for this
    payload = {
        "id": current.pathspec,
        "pathspec": current.pathspec,
        "flow_name": flow,
        "run_id": run_id,
        "step_name": step,
        "task_id": task_id,
        **{field: current.get(field) for field in PROJECT_FIELDS if current.get(field)},
        "auto-generated-by-metaflow": True,
    }
    senders = {name: _send(name, payload, env[WEBHOOK_URL]) for name in names}
    end = time.monotonic() + PATIENCE
    for name, sender in senders.items():
        sender.join(max(0.0, end - time.monotonic()))
        if sender.is_alive():
            print(f"The event {name} could not be published within {PATIENCE:.0f} seconds.", file=sys.stderr)


def _send(name: str, payload: Mapping[str, Any], webhook: str) -> threading.Thread:
    event = ArgoEvent(name=name, url=webhook)
    for key, value in payload.items():
        event.add_to_payload(key, value)
    # Metaflow itself tries again and again, without a limit.
    sender = threading.Thread(target=event.publish, kwargs={"ignore_errors": True}, daemon=True)
    sender.start()
    return sender
