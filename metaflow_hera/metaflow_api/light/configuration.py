"""Metaflow's configuration, read without importing Metaflow, by the rules of its `from_conf`.

Where Metaflow is imported already, its own values count: it reads them once for a process. Where others
extend Metaflow, it is imported, since their extensions may configure it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metaflow_hera.contract import environment
from metaflow_hera.contract.kubernetes import NAMESPACE
from metaflow_hera.errors import ConfigurationError

FILE = "config.json"
FOLDER = ".metaflow"
"""The folder of a project, in the current folder or above it; it may hold a configuration file too."""
OWN_EXTENSION = "hera"
ENVIRONMENT = "the environment"


def setting(name: str) -> Any:
    """The setting METAFLOW_NAME: text, None if it is not set, and whatever else a configuration file has.

    Raises ConfigurationError for a configuration file that is missing or cannot be read.
    """
    if "metaflow.metaflow_config" in sys.modules or has_other_extensions():
        from metaflow import metaflow_config

        return getattr(metaflow_config, name)
    return origin(name)[0]


def origin(name: str) -> tuple[Any, str | None]:
    """The setting METAFLOW_NAME where it is set, and in which file; ENVIRONMENT for a variable.

    Both are None if it is set nowhere. Raises ConfigurationError as `setting` does.
    """
    variable = f"METAFLOW_{name}"
    if variable in os.environ:
        return os.environ[variable], ENVIRONMENT
    path, local = path_of_file(), _local_file()
    of_user = _read(path)
    if of_user is None and os.environ.get("METAFLOW_PROFILE"):
        raise ConfigurationError(wrong(path))
    for place, found in ((local, _read(local)), (path, of_user)):
        if variable in (found or {}):
            return (found or {})[variable], place
    return None, None


def path_of_file() -> str:
    """The file with the configuration of this user, or of their profile; it need not exist."""
    home, profile = os.environ.get("METAFLOW_HOME", "~/.metaflowconfig"), os.environ.get("METAFLOW_PROFILE")
    return os.path.expanduser(os.path.join(home, f"config_{profile}.json" if profile else FILE))


def wrong(path: str, error: object = None) -> str:
    """What to say of a configuration file that is missing, or cannot be read because of an error."""
    profile = os.environ.get("METAFLOW_PROFILE")
    if profile and not os.path.exists(path):
        return f"METAFLOW_PROFILE is {profile!r}, and there is no {path}: unset it, or create it."
    return f"{path}, Metaflow's configuration, cannot be read ({error}): fix it or delete it."


def _local_file() -> str:
    """The configuration file of the project around the current folder; it need not exist."""
    here = Path.cwd()
    project = next((each for each in (here, *here.parents) if os.path.isdir(each / FOLDER)), here)
    return str(project / FOLDER / FILE)


@cache
def _read(path: str) -> dict[str, Any] | None:
    """The content of a configuration file, None if there is none. Metaflow reads it once, too."""
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(wrong(path, error)) from error
    if not isinstance(found, dict):
        raise ConfigurationError(wrong(path, "it holds no JSON object"))
    return found


def has_other_extensions() -> bool:
    """Whether there are extensions of Metaflow beside this package's own."""
    if os.environ.get("METAFLOW_EXTENSIONS_SEARCH_DIRS"):
        return True
    spec = find_spec("metaflow_extensions")
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    folders = [each for place in places if os.path.isdir(place) for each in os.scandir(place)]
    names = {each.name for each in folders if each.is_dir()}
    return any(name != OWN_EXTENSION and not name.startswith((".", "__")) for name in names)


def default_datastore() -> str:
    """Metaflow's name of the datastore that it is configured for."""
    return str(setting("DEFAULT_DATASTORE") or "local")


def checked_namespace(name: str, variable: str) -> str:
    """The namespace that a variable names. Raises ConfigurationError for what cannot be one."""
    if not NAMESPACE.fullmatch(name):
        raise ConfigurationError(
            f"{variable} is {name!r}, which cannot be a namespace: use at most 63 of a-z, 0-9 and '-', "
            "begin and end with a letter or a digit."
        )
    return name


def namespace_in_use(env: Mapping[str, str] = os.environ) -> str:
    """The Kubernetes namespace of workflows: that of ARGO_NAMESPACE, else that of Metaflow's configuration.

    Raises ConfigurationError for a name that no namespace can have.
    """
    name = env.get("ARGO_NAMESPACE")
    if name:
        return checked_namespace(name, "ARGO_NAMESPACE")
    return checked_namespace(kubernetes_namespace(), environment.KUBERNETES_NAMESPACE)


def kubernetes_namespace() -> str:
    """The Kubernetes namespace that Metaflow is configured for."""
    return str(setting("KUBERNETES_NAMESPACE") or "default")


def sensor_namespace() -> str | None:
    """The namespace that Metaflow is configured to have sensors in; None if it is none of their own.

    By default Metaflow uses the namespace of its own configuration, not that of ARGO_NAMESPACE.
    Raises ConfigurationError for a name that no namespace can have.
    """
    namespace = setting("ARGO_EVENTS_SENSOR_NAMESPACE")
    if namespace in (None, "", kubernetes_namespace()):
        return None
    return checked_namespace(str(namespace), "METAFLOW_ARGO_EVENTS_SENSOR_NAMESPACE")
