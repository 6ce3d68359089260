"""Cron workflows: when each starts a workflow, and what happens to the workflows it started.

This is what Argo's cron controller does (workflow/cron/operator.go), with one difference: a missed firing
is made up for within `startingDeadlineSeconds` even if the cron workflow has never fired before.
"""

from __future__ import annotations

import copy
import json
import logging
from datetime import tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.labels import CRON_LABEL, SCHEDULED_TIME
from metaflow_hera.embedded.rules.cron import Schedule, local, parse_schedule
from metaflow_hera.embedded.storage.reader import Head
from metaflow_hera.embedded.storage.store import Store

RESOURCE: Final = "cronworkflows"
LATE = 30.0
"""Seconds that a firing may be late without being missed: the server was busy, or a second behind."""
SET_BACK = 60.0
"""By how many seconds a clock must be set back to count as set back: less is a correction."""
KEPT_SUCCEEDED, KEPT_FAILED = 3, 1
"""How many ended workflows are kept if the cron workflow does not say."""

log = logging.getLogger(__name__)
Key = tuple[str, str]


class Workflows(Protocol):
    """What cron workflows do with workflows; see `engine.Engine`."""

    def create(self, namespace: str, workflow: JSON) -> JSON:
        """Check, store and start a workflow; raises an Exception that says why it is refused."""

    def terminate(self, uid: str) -> None:
        """End a workflow that may have ended already."""

    def remove(self, uid: str) -> None:
        """Delete a workflow."""


class Clock:
    """The schedules of one cron workflow, and the time up to which they have been checked."""

    def __init__(self, spec: JSON, since: float) -> None:
        self._schedules: list[Schedule] = [parse_schedule(text) for text in spec.get("schedules") or ()]
        self.zone: tzinfo | None = ZoneInfo(spec["timezone"]) if spec.get("timezone") else None
        self.since = since

    def next(self, after: float) -> float | None:
        """The next time after `after` in any of the schedules."""
        times = [schedule.next(after, self.zone) for schedule in self._schedules]
        return min((at for at in times if at is not None), default=None)

    def latest(self, now: float, window: float) -> float | None:
        """The latest time, at most `window` seconds ago, at which it should have fired and did not."""
        found, at = None, self.next(max(self.since, now - window))
        while at is not None and at <= now:
            found, at = at, self.next(at)
        return found


class Crons:
    """All cron workflows of a server. Used by the engine's thread only, within its transactions."""

    def __init__(self, store: Store, workflows: Workflows) -> None:
        self._store = store
        self._workflows = workflows
        self._clocks: dict[Key, Clock] = {}
        self._wakes: dict[Key, float | None] = {}

    def load(self, now: float) -> None:
        """Load the stored ones."""
        for cron in self._store.all_objects(RESOURCE):
            try:
                # A time to come was noted while the machine's clock was wrong: no schedule waits for it.
                self._take(cron, min(self._store.cron_since(*_key(cron)) or now, now))
            except (ValueError, KeyError, OSError):  # say, a time zone that this machine no longer has
                log.exception("cron workflow %s cannot be loaded", cron["metadata"]["name"])

    def put(self, cron: JSON, old: JSON | None, now: float) -> None:
        """A cron workflow was created, or changed from `old`."""
        key = _key(cron)
        known = self._clocks.get(key)
        same = old is not None and all(
            old["spec"].get(field) == cron["spec"].get(field) for field in ("schedules", "timezone")
        )
        # A new schedule makes up for nothing before the change.
        since = known.since if known is not None and same else now
        self._store.put_cron_since(*key, since)
        self._take(cron, since)

    def forget(self, namespace: str, name: str) -> None:
        """A cron workflow was deleted; what it started continues."""
        self._clocks.pop((namespace, name), None)
        self._wakes.pop((namespace, name), None)
        self._store.put_cron_since(namespace, name, None)

    def wake_at(self) -> float | None:
        """When the next one fires."""
        return min((at for at in self._wakes.values() if at is not None), default=None)

    def is_due(self, now: float) -> bool:
        """Whether `fire_due` has something to do."""
        at = self.wake_at()
        return (at is not None and at <= now) or any(
            clock.since > now + SET_BACK for clock in self._clocks.values()
        )

    def fire_due(self, now: float) -> None:
        """Fire what is due. If the machine's clock was set back, what was checked before counts no more."""
        for key, clock in self._clocks.items():
            if clock.since > now + SET_BACK:
                clock.since = now
                self._store.put_cron_since(*key, now)
                self._wakes[key] = None if self._wakes[key] is None else clock.next(now)
        for key, at in list(self._wakes.items()):
            if at is not None and at <= now:
                try:
                    self._due(key, now)
                except Exception:  # a fault in one must not end the server
                    log.exception("cron workflow %s", key)
                    self._wakes[key] = now + 60

    def changed(self, head: Head, phase: str) -> None:
        """A workflow of a cron workflow has ended in a `phase`, or runs again."""
        key = (head.namespace, head.labels.get(CRON_LABEL, ""))
        cron = self._store.object(RESOURCE, *key)
        if cron is None:
            return
        status = cron["status"]
        others = [each for each in status.get("active") or () if each["uid"] != head.uid]
        if head.finished is None:
            others.append(_reference(json.loads(head.metadata)))
        elif len(others) < len(status.get("active") or ()):
            kind = "succeeded" if phase == "Succeeded" else "failed"
            status[kind] = status.get(kind, 0) + 1
        status["active"] = others or None
        self._save(cron)
        if head.finished is not None:
            self._clean(cron)

    def _take(self, cron: JSON, since: float) -> None:
        key = _key(cron)
        clock = self._clocks[key] = Clock(cron["spec"], since)
        self._wakes[key] = None if cron["spec"].get("suspend") else clock.next(since)

    def _due(self, key: Key, now: float) -> None:
        cron, clock = self._store.object(RESOURCE, *key), self._clocks[key]
        if cron is not None:
            at = clock.latest(now, _window(cron["spec"]))
            if at is not None:
                self._fire(cron, at)
        clock.since = now
        self._store.put_cron_since(*key, now)
        self._wakes[key] = clock.next(now)

    def _fire(self, cron: JSON, at: float) -> None:
        status, name, namespace = (cron["status"], cron["metadata"]["name"], cron["metadata"]["namespace"])
        workflow = self._workflow(cron, at)
        # As in Argo, no error: the machine's clock was set back, and this time comes again.
        if self._store.head(namespace, workflow["metadata"]["name"]) is not None:
            return
        if not self._may_start(cron):
            return
        try:
            started = self._workflows.create(namespace, workflow)
        except Exception as error:
            log.warning("cron workflow %s could not start a workflow: %s", name, error)
            _set_condition(status, f"Failed to submit Workflow: {error}")
            self._save(cron)
            return
        meta = started["metadata"]
        # Read it again: the workflow may have failed already, and this is noted there.
        status = (cron := self._store.object(RESOURCE, *_key(cron)) or cron)["status"]
        active = [*(status.get("active") or ()), _reference(meta)]
        status["active"] = [each for each in active if self._goes_on(each["uid"])] or None
        status["phase"] = "Active"
        status["lastScheduledTime"] = _rfc3339(at, None)
        _set_condition(status, None)
        self._save(cron)

    def _may_start(self, cron: JSON) -> bool:
        """Whether `concurrencyPolicy` allows a start; Replace ends the workflows that still run."""
        policy = cron["spec"].get("concurrencyPolicy") or "Allow"
        active = [each for each in cron["status"].get("active") or () if self._goes_on(each["uid"])]
        cron["status"]["active"] = active or None  # one may have been deleted
        if policy == "Replace":
            for each in active:
                self._workflows.terminate(each["uid"])
        return not (policy == "Forbid" and active)

    def _goes_on(self, uid: str) -> bool:
        head = self._store.head_by_uid(uid)
        return head is not None and head.finished is None

    def _workflow(self, cron: JSON, at: float) -> JSON:
        meta, spec = cron["metadata"], cron["spec"]
        more = spec.get("workflowMetadata") or {}
        return {
            "metadata": {
                "name": f"{meta['name']}-{int(at)}",
                "labels": {CRON_LABEL: meta["name"], **(more.get("labels") or {})},
                "annotations": {
                    SCHEDULED_TIME: _rfc3339(at, self._clocks[_key(cron)].zone),
                    **(more.get("annotations") or {}),
                },
                "ownerReferences": [
                    {
                        "apiVersion": "argoproj.io/v1alpha1",
                        "kind": "CronWorkflow",
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": copy.deepcopy(spec["workflowSpec"]),
        }

    def _clean(self, cron: JSON) -> None:
        """Delete workflows that ended long ago, as the history limits say."""
        spec, name = cron["spec"], cron["metadata"]["name"]
        succeeded: list[Head] = []
        failed: list[Head] = []
        for head in self._store.labelled(cron["metadata"]["namespace"], CRON_LABEL, name):
            if head.finished is not None:
                is_good = head.labels.get("workflows.argoproj.io/phase") == "Succeeded"
                (succeeded if is_good else failed).append(head)
        for heads, limit, default in (
            (succeeded, spec.get("successfulJobsHistoryLimit"), KEPT_SUCCEEDED),
            (failed, spec.get("failedJobsHistoryLimit"), KEPT_FAILED),
        ):
            kept = default if limit is None else limit
            heads.sort(key=lambda head: head.finished or 0.0, reverse=True)
            for head in heads[kept:]:
                self._workflows.remove(head.uid)

    def _save(self, cron: JSON) -> None:
        cron["metadata"]["resourceVersion"] = str(self._store.next_version())
        self._store.put_object(RESOURCE, cron)


def _key(cron: JSON) -> Key:
    return cron["metadata"]["namespace"], cron["metadata"]["name"]


def _window(spec: JSON) -> float:
    """How many seconds late a firing may be."""
    return max(LATE, float(spec.get("startingDeadlineSeconds") or 0.0))


def _rfc3339(at: float, zone: tzinfo | None) -> str:
    text = local(at, zone or ZoneInfo("UTC")).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


def _reference(meta: JSON) -> JSON:
    """A workflow as Kubernetes refers to it."""
    own = {key: meta[key] for key in ("name", "namespace", "resourceVersion", "uid")}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **own}


def _set_condition(status: JSON, message: str | None) -> None:
    others = [each for each in status.get("conditions") or () if each["type"] != "SubmissionError"]
    if message is not None:
        others.append({"type": "SubmissionError", "status": "True", "message": message})
    status["conditions"] = others or None
