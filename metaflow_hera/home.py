"""The home folder of the embedded Argo, and the embedded Argo's errors as errors of this package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from metaflow_hera.contract.environment import EMBEDDED_HOME
from metaflow_hera.embedded import errors as embedded
from metaflow_hera.embedded.local import folder
from metaflow_hera.embedded.local.folder import is_home
from metaflow_hera.errors import ConfigurationError, LocalServerError

__all__ = ["cache_folder", "embedded_errors", "home_folder", "is_home", "make_home"]


@contextmanager
def embedded_errors() -> Iterator[None]:
    """Raise the embedded Argo's errors in this block as errors of this package, in the same words."""
    try:
        yield
    except embedded.Unusable as error:
        raise ConfigurationError(str(error)) from error
    except embedded.ServerError as error:
        raise LocalServerError(str(error)) from error


def home_folder(env: Mapping[str, str] = os.environ) -> Path:
    """The folder with the embedded Argo's state: METAFLOW_HERA_HOME, or the platform's user state folder.

    In a pod of an embedded Argo it is that one's folder.

    Raises:
        ConfigurationError: METAFLOW_HERA_HOME is relative.
    """
    given = env.get("METAFLOW_HERA_HOME") or env.get(EMBEDDED_HOME)
    if given:
        path = Path(given)
        if not path.is_absolute():
            raise ConfigurationError(f"METAFLOW_HERA_HOME must be an absolute path, not {given!r}.")
        return path
    import platformdirs

    # Without HOME, and for a user that the system does not know, as in some containers, it raises an error
    # or, in older versions, gives a path that begins with "~".
    with suppress(RuntimeError):
        path = Path(platformdirs.user_state_dir("metaflow_hera"))
        if path.is_absolute():
            return path
    import tempfile

    return Path(tempfile.gettempdir()) / f"metaflow_hera-{os.getuid()}"


def make_home() -> Path:
    """Create the home folder, for this user only, and return it.

    Raises:
        ConfigurationError: it cannot be created or written to.
    """
    home = home_folder()
    with embedded_errors():
        folder.make_home(home)
    return home


def cache_folder() -> Path | None:
    """The folder of the home for what can be made again; None if there is none yet, or none to trust."""
    with suppress(OSError, ConfigurationError):
        return folder.cache_in(home_folder())
    return None
