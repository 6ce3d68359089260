"""All sensors of a server: events come in, workflows are started.

There is one source of events here, so an event is offered to every dependency of every sensor of its
namespace, whatever `eventSourceName` and `eventName` say. What has arrived for a trigger that waits for
more is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from metaflow_hera.embedded.crons import Workflows
from metaflow_hera.embedded.events import triggers
from metaflow_hera.embedded.events.filters import passes
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules.cron import parse_schedule
from metaflow_hera.embedded.storage.reader import Arrival
from metaflow_hera.embedded.storage.store import Store

RESOURCE: Final = "sensors"
SENSOR_LABEL = "events.argoproj.io/sensor"
TRIGGER_LABEL = "events.argoproj.io/trigger"

log = logging.getLogger(__name__)


class Sensors:
    """Used by the engine's thread only, within its transactions."""

    def __init__(self, store: Store, workflows: Workflows) -> None:
        self._store = store
        self._workflows = workflows

    def receive(self, namespace: str, body: JSON, now: float) -> None:
        """An event has arrived; `body` is the JSON of its body."""
        taken, started = False, list[str]()
        for sensor in self._store.all_objects(RESOURCE, namespace):
            try:
                for name in self._offer(sensor, {"body": body}, now):
                    taken = True
                    started += [name] if name else []
            except Exception:  # a fault in one must not keep the event from the others
                log.exception("sensor %s", sensor["metadata"]["name"])
        self._store.put_event(namespace, body, now, taken, started)

    def _offer(self, sensor: JSON, data: JSON, now: float) -> Iterator[str | None]:
        """For each trigger that waits for it, the workflow that starts, or None."""
        dependencies = {each["name"]: each for each in sensor["spec"]["dependencies"]}
        fitting = [name for name, each in dependencies.items() if passes(each.get("filters"), data)]
        for trigger in sensor["spec"]["triggers"] if fitting else ():
            text = triggers.condition(trigger, dependencies)
            names = triggers.names_in(text)
            for name in fitting:
                if name in names:
                    yield self._arrive(sensor, trigger, text, Arrival(_name(trigger), name, now, data))

    def put(self, sensor: JSON, old: JSON | None) -> None:
        """A sensor was created, or changed; what has arrived stays if it waits for the same events."""
        if old is not None and _waits(sensor) != _waits(old):
            self.forget(sensor["metadata"]["namespace"], sensor["metadata"]["name"])

    def forget(self, namespace: str, name: str) -> None:
        """A sensor was deleted."""
        self._store.forget_arrivals(namespace, name)

    def _arrive(self, sensor: JSON, trigger: JSON, text: str, arrival: Arrival) -> str | None:
        meta = sensor["metadata"]
        place = meta["namespace"], meta["name"]
        if not triggers.needs_several(text):
            return self._fire(sensor, trigger, {arrival.dependency: arrival}, arrival.at)
        kept = {
            each.dependency: each
            for each in self._store.arrived(*place)
            if each.trigger == arrival.trigger and not _was_reset(trigger, each.at, arrival.at)
        }
        kept[arrival.dependency] = arrival
        self._store.forget_arrivals(*place, arrival.trigger)
        if triggers.is_met(text, kept):
            return self._fire(sensor, trigger, kept, arrival.at)
        for each in kept.values():
            self._store.put_arrival(*place, each)
        return None

    def _fire(self, sensor: JSON, trigger: JSON, arrived: dict[str, Arrival], now: float) -> str | None:
        name = sensor["metadata"]["name"]
        try:
            workflow = triggers.workflow_of(trigger, {key: each.event for key, each in arrived.items()})
            meta = workflow.setdefault("metadata", {})
            meta["labels"] = {
                **(meta.get("labels") or {}),
                SENSOR_LABEL: name,
                TRIGGER_LABEL: _name(trigger),
                "events.argoproj.io/action-timestamp": str(int(now * 1000)),
            }
            namespace = meta.get("namespace") or sensor["metadata"]["namespace"]
            made = self._workflows.create(namespace, {key: workflow[key] for key in ("metadata", "spec")})
        except Exception as error:
            log.warning("sensor %s could not start a workflow: %s", name, error)
            return None
        return f"{made['metadata']['namespace']}/{made['metadata']['name']}"


def _name(trigger: JSON) -> str:
    return str(trigger["template"]["name"])


def _waits(sensor: JSON) -> JSON:
    """The parts of a sensor that decide what it waits for."""
    spec = sensor["spec"]
    return {
        "dependencies": spec["dependencies"],
        "conditions": {_name(each): each["template"].get("conditions") for each in spec["triggers"]},
    }


def _was_reset(trigger: JSON, arrived: float, now: float) -> bool:
    """Whether the trigger's conditions were reset since an event arrived."""
    for each in trigger["template"].get("conditionsReset") or ():
        by_time = each.get("byTime") or {}
        if by_time.get("cron"):
            zone = ZoneInfo(by_time["timezone"]) if by_time.get("timezone") else None
            at = parse_schedule(by_time["cron"]).next(arrived, zone)
            if at is not None and at <= now:
                return True
    return False
