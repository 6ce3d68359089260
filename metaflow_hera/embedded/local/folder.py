"""The folder of a home: created for its user alone, and checked that it can hold the state of a server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from metaflow_hera.embedded.errors import Unusable
from metaflow_hera.embedded.pods.settings import CACHE


def make_home(home: Path) -> None:
    """Create the folder of a home, for this user only.

    Raises:
        Unusable: it cannot be created or written to.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid != os.getuid():
            raise PermissionError(1, "it belongs to another user")
        home.chmod(0o700)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise unusable(home, error.strerror or str(error)) from error


def cache_in(home: Path) -> Path | None:
    """The folder for what can be made again in a home; None if the home is not this user's alone.

    What is there is used unseen, and in a folder for all users another one could have made the home. Raises
    OSError if there is no home.
    """
    found = home.stat()
    return home / CACHE if found.st_uid == os.getuid() and not found.st_mode & 0o022 else None


def is_home(folder: Path) -> bool:
    """Whether a folder is the home of an embedded Argo, this one or another."""
    return all((folder / name).exists() for name in ("argo.db", "server.lock"))


def unusable(home: Path, reason: str) -> Unusable:
    """The error of a folder that cannot hold a home."""
    return Unusable(f"The folder {home} cannot be used ({reason}): set METAFLOW_HERA_HOME to one that can.")
