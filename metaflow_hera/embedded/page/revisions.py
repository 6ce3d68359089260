"""The versions of a deployment as the page lists them, and what changed in its manifest between two."""

from __future__ import annotations

import difflib
from typing import Any

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.details import OWNER, VERSION
from metaflow_hera.embedded.page.reading import TEXT, PageReader
from metaflow_hera.embedded.page.yaml_text import yaml_of

COMPARED = 20_000
"""How many lines a manifest may have to be compared: the time grows with their square."""
LINES = 5_000
"""How many lines of a difference are sent to the page."""


class Revisions:
    """Reads the revisions of workflow templates that the server has kept."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader

    def all(self, namespace: str, name: str) -> list[JSON]:
        """Those of a deployment, the latest first.

        `version` is the number that `mfhera` has given to it, None for what was deployed otherwise.
        """
        return [
            {"revision": revision, "at": at, "version": _text(version), "by": _text(owner)}
            for revision, at, version, owner in self._reader.revisions(namespace, name, VERSION, OWNER)
        ]

    def changes(self, namespace: str, name: str, before: int, after: int) -> list[str] | None:
        """The lines of a unified diff of two manifests as YAML; None if one of them is not kept any more."""
        found = [self._reader.revision(namespace, name, each) for each in (before, after)]
        old, new = (_lines(each) if each is not None else None for each in found)
        if old is None or new is None:
            return None
        if max(len(old), len(new)) > COMPARED:
            return [f"@@ a manifest of more than {COMPARED:,} lines is not compared @@"]
        lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]  # without the names of files
        left_out = len(lines) - LINES
        return [*lines[:LINES], f"@@ {left_out} more lines @@"] if left_out > 0 else lines


def _text(value: Any) -> str | None:
    return str(value)[:TEXT] if value else None


def _lines(template: JSON) -> list[str]:
    return yaml_of(template["metadata"], template["spec"]).splitlines()
