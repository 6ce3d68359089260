"""The deployments as the page lists them: workflow templates with their parameters."""

from __future__ import annotations

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.labels import TITLE
from metaflow_hera.embedded.page.parameters import asked
from metaflow_hera.embedded.page.reading import TEXT, PageReader

DESCRIPTION = "workflows.argoproj.io/description"


class Deployments:
    """Lists them; the list is kept until one of them changes, since reading it parses whole templates."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._kept: tuple[list[tuple[str, str, int]], list[JSON]] = ([], [])

    def all(self) -> list[JSON]:
        """All deployments, by namespace and name."""
        versions = self._reader.deployed()
        known, shown = self._kept
        if known != versions:
            shown = [_shown(template) for template in self._reader.all_objects("workflowtemplates")]
            self._kept = versions, shown
        return shown


def _shown(template: JSON) -> JSON:
    metadata = template["metadata"]
    notes = metadata.get("annotations") or {}
    created = metadata.get("creationTimestamp")
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "title": str(notes.get(TITLE) or "")[:TEXT],
        "description": str(notes.get(DESCRIPTION) or "")[:TEXT],
        "created": seconds(created) if created else None,
        "parameters": asked(template),
    }
