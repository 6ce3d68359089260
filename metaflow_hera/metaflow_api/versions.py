"""Which versions of Metaflow this package works with."""

from __future__ import annotations

from importlib import metadata

from metaflow_hera.errors import ConfigurationError

OLDEST_METAFLOW = (2, 19)
"""As in pyproject.toml: pip refuses an older one, except where Metaflow is installed afterwards."""


def installed_metaflow() -> str | None:
    """The version of the installed Metaflow, which is not imported for that.

    None in a pod, where the code package holds the Metaflow of the deployment.
    """
    try:
        return metadata.version("metaflow")
    except metadata.PackageNotFoundError:
        return None


def check_metaflow() -> None:
    """Raise ConfigurationError if the installed Metaflow is too old."""
    version = installed_metaflow()
    if version is None:
        return
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_METAFLOW:
        raise ConfigurationError(
            f"Metaflow {version} is too old for mfhera, which needs 2.19.0 or later: pip install -U metaflow."
        )
