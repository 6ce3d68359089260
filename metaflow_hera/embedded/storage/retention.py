"""How long ended workflows are kept: as their `ttlStrategy` says, and no more of them than a maximum.

The first is Argo's ttlcontroller (workflow/controller in its sources: ttlcontroller.go), the second is like
`retentionPolicy` in the configuration of Argo's controller.
"""

from __future__ import annotations

import heapq
import json
import logging
from collections.abc import Iterator

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.storage.store import Store

log = logging.getLogger(__name__)

MOST_WORKFLOWS = 500
MOST_NODES = 200_000
"""How many ended workflows are kept, and how many nodes they may have together; the oldest go first."""


class Retention:
    """Decides which workflows to delete, and when. Used by one thread, the loop's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._expiring: list[tuple[float, str]] = []
        self._at: dict[str, float] = {}
        self._crowded = True

    def load(self) -> None:
        """Load the workflows that have already ended."""
        for uid, phase, finished, strategy in self._store.ended():
            try:
                self._note(uid, phase, finished, json.loads(strategy or "{}"))
            except (ValueError, TypeError, AttributeError):  # a damaged row: that run is kept
                log.warning("the ttlStrategy of the ended workflow %s cannot be read", uid)

    def ended(self, workflow: JSON, finished: float) -> None:
        """A workflow has ended, at that time in seconds since the epoch."""
        status = workflow["status"]
        spec = status.get("storedWorkflowTemplateSpec") or workflow["spec"]
        self._note(workflow["metadata"]["uid"], status["phase"], finished, spec.get("ttlStrategy") or {})
        self._crowded = True

    def _note(self, uid: str, phase: str, finished: float, strategy: JSON) -> None:
        seconds = lifetime(phase, strategy)
        self._at.pop(uid, None)
        if seconds is not None:
            self._at[uid] = finished + seconds
            heapq.heappush(self._expiring, (finished + seconds, uid))

    def wake_at(self) -> float | None:
        """When the next workflow is to go, in seconds since the epoch, or None."""
        return 0.0 if self._crowded else self._expiring[0][0] if self._expiring else None

    def due(self, now: float) -> Iterator[str]:
        """The uids of the workflows to delete now."""
        while self._expiring and self._expiring[0][0] <= now:
            at, uid = heapq.heappop(self._expiring)
            head = self._store.head_by_uid(uid)
            # It may have been retried since; the end of a retry is noted separately.
            if self._at.get(uid) == at:
                del self._at[uid]
                if head is not None and head.finished is not None:
                    yield uid
        if self._crowded:
            self._crowded = False
            yield from self._store.beyond(MOST_WORKFLOWS, MOST_NODES)


def lifetime(phase: str, strategy: JSON) -> float | None:
    """How many seconds a workflow of this phase is kept after its end; None is for ever."""
    own = "secondsAfterSuccess" if phase == "Succeeded" else "secondsAfterFailure"
    found = strategy.get(own)
    if found is None:
        found = strategy.get("secondsAfterCompletion")
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError, OverflowError):  # stored before such numbers were refused
        return None
