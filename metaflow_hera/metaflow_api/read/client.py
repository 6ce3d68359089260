"""Metaflow's Client API, as far as this package returns it."""

from __future__ import annotations

from typing import Any

from metaflow import Run
from metaflow.exception import MetaflowNotFound


def client_run(pathspec: str) -> Any:
    """A run of Metaflow's Client API, whatever its namespace; None if Metaflow does not know it (yet)."""
    try:
        return Run(pathspec, _namespace_check=False)
    except MetaflowNotFound:
        return None
