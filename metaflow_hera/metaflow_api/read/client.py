"""Metaflow's Client API, as far as this package returns it."""

from __future__ import annotations

from typing import Any

from metaflow import Run
from metaflow.exception import MetaflowException, MetaflowNotFound

from metaflow_hera.errors import ConfigurationError


def client_run(pathspec: str) -> Any:
    """A run of Metaflow's Client API, whatever its namespace; None if Metaflow does not know it (yet)."""
    try:
        return Run(pathspec, _namespace_check=False)
    except MetaflowNotFound:
        return None


def ended_well(pathspec: str) -> bool | None:
    """Whether a run has ended well; None if Metaflow knows no such run.

    Raises ConfigurationError if Metaflow's metadata or datastore cannot be read.
    """
    try:
        run = client_run(pathspec)
        return None if run is None else bool(run.successful)
    except (MetaflowException, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(
            f"Metaflow does not tell whether there is a run {pathspec} ({reason}): "
            "check its configuration with mfhera doctor."
        ) from error
