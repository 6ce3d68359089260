"""What Metaflow notes of the code package that it is imported from, and of its local datastore."""

from __future__ import annotations

import json
import os
from typing import Any

import metaflow
from metaflow import meta_files, metaflow_config, util
from metaflow.metaflow_config_funcs import from_conf
from metaflow.packaging_sys import MetaflowCodeContent
from metaflow.plugins.datastores import local_storage
from metaflow.plugins.datatools import local as local_data

INFO = ".mf_meta/INFO"
READ_AT_IMPORT = ("ext_info", "metaflow_version")
"""What of Metaflow's note of what has made a package an import depends on (extension_support,
metaflow_version.py)."""


def be_of(package: str) -> str | None:
    """Have Metaflow be what it were if it had been imported from another package, with this environment.

    Returns a sentence that says why it cannot be, or None.
    """
    modules = os.path.join(package, ".mf_code", "metaflow")
    imported = os.path.dirname(metaflow.__file__)
    if not (os.path.exists(imported) and os.path.samefile(imported, modules)):
        return "The code package has other modules than those imported."
    if _read_at_import(os.path.dirname(os.path.dirname(imported))) != _read_at_import(package):
        return "The code package has other extensions than those imported."
    util.__file__ = os.path.join(modules, "util.py")  # for its get_metaflow_root
    meta_files._info_file_content = meta_files._UNINITIALIZED
    MetaflowCodeContent._cached_mfcontent_info.clear()
    _read_local_root()
    return None


def _read_at_import(folder: str) -> list[Any]:
    with open(os.path.join(folder, INFO), encoding="utf-8") as file:
        info = json.load(file)
    return [info.get(key) for key in READ_AT_IMPORT]


def _read_local_root() -> None:
    """Let the local datastore be where the environment says (metaflow_config.py)."""
    root = from_conf("DATASTORE_SYSROOT_LOCAL")
    data = os.path.join(root, metaflow_config.DATATOOLS_SUFFIX) if root else None
    metaflow_config.DATASTORE_SYSROOT_LOCAL = local_storage.DATASTORE_SYSROOT_LOCAL = root
    local_storage.LocalStorage.SYSROOT_VAR = root
    data = from_conf("DATATOOLS_LOCALROOT", data)
    metaflow_config.DATATOOLS_LOCALROOT = local_data.DATATOOLS_LOCALROOT = data
