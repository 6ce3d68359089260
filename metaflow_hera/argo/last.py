"""The last deployment from each folder: what `mfhera trigger` starts if no flow is named."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from metaflow_hera.argo.target import Target
from metaflow_hera.home import home_folder, make_home

EMBEDDED = "embedded"
LIMIT = 1000
"""How many folders are remembered."""


@dataclass(frozen=True)
class LastDeployment:
    """A deployment by the name of its template, and the server it is at: its address, or EMBEDDED."""

    name: str
    flow: str
    server: str

    def is_at(self, target: Target) -> bool:
        """Whether a target is the server it is at; the embedded one is, whatever its port."""
        return self.server == _server(target)


def noted(name: str, flow: str, target: Target) -> LastDeployment:
    """What is remembered of a deployment at a target."""
    return LastDeployment(name, flow, _server(target))


def _server(target: Target) -> str:
    return EMBEDDED if target.embedded else target.host


def remember(deployment: LastDeployment) -> None:
    """Note a deployment as the last one from the current folder."""
    home = make_home()
    notes = _read()
    key = os.path.realpath(os.getcwd())
    notes.pop(key, None)
    notes[key] = asdict(deployment)
    kept = dict(list(notes.items())[-LIMIT:])
    descriptor, temporary = tempfile.mkstemp(dir=home)  # readable by this user only
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(kept, file)
    os.replace(temporary, _file())


def recall() -> LastDeployment | None:
    """The last deployment from the current folder, or None."""
    note = _read().get(os.path.realpath(os.getcwd()))
    try:
        return None if note is None else LastDeployment(**note)
    except TypeError:  # not a note that this version knows
        return None


def _file() -> Path:
    return home_folder() / "deployments.json"


def _read() -> dict[str, dict[str, str]]:
    try:
        notes = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}
