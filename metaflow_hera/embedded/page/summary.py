"""A run as the page shows it: in one line of a list, and whole, with its steps and its failures."""

from __future__ import annotations

import json

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.labels import TEMPLATE_LABEL, TITLE
from metaflow_hera.embedded.page.groups import groups_of, lines
from metaflow_hera.embedded.page.outline import Place, outline
from metaflow_hera.embedded.page.parameters import given
from metaflow_hera.embedded.page.pathspecs import run_name
from metaflow_hera.embedded.page.places import places_of
from metaflow_hera.embedded.page.reading import TEXT, PageReader
from metaflow_hera.embedded.page.tasks import Tasks
from metaflow_hera.embedded.storage.reader import Head

OUTLINES = 32


class Summaries:
    """Makes summaries. It keeps the outlines of a few runs, since reading the templates takes longest."""

    def __init__(self, reader: PageReader, tasks: Tasks) -> None:
        self._reader = reader
        self._tasks = tasks
        self._outlines: dict[str, list[Place]] = {}

    def run(self, head: Head) -> JSON:
        """One line about a run."""
        status, metadata = json.loads(head.status), json.loads(head.metadata)
        finished = head.finished
        return {
            "uid": head.uid,
            "namespace": head.namespace,
            "name": head.name,
            "id": run_name(metadata),
            "title": str((metadata.get("annotations") or {}).get(TITLE) or "")[:TEXT],
            "template": head.labels.get(TEMPLATE_LABEL) or "",
            "phase": status.get("phase") or "Pending",
            "created": head.created,
            "started": seconds(status["startedAt"]) if status.get("startedAt") else head.created,
            "finished": finished,
            "message": str(status.get("message") or "")[:TEXT],
            "progress": status.get("progress") or "",
            "waits": finished is None and self._reader.waits(head.uid),
        }

    def whole(self, head: Head, now: float) -> JSON:
        """A run with its groups and its failures."""
        places = places_of(head, self._reader)
        groups = groups_of(head, self._outline(head), places, self._reader)
        return {
            "run": self.run(head),
            "parameters": given(self._reader.arguments(head.uid)),
            "groups": list(lines(groups, head, now)),
            "failures": self._tasks.failures(head, places),
            "now": now,
        }

    def _outline(self, head: Head) -> list[Place]:
        found = self._outlines.get(head.uid)
        if found is None:
            found = outline(self._reader.workflow(head, nodes=False))
            if len(self._outlines) >= OUTLINES:
                self._outlines.clear()
            self._outlines[head.uid] = found
        return found
