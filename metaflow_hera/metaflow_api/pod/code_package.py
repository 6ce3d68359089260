"""What Metaflow notes of the code package that it is imported from, and of its local datastore."""

from __future__ import annotations

import os

import metaflow
from metaflow import meta_files, metaflow_config, util
from metaflow.metaflow_config_funcs import from_conf
from metaflow.packaging_sys import MetaflowCodeContent
from metaflow.plugins.datastores import local_storage
from metaflow.plugins.datatools import local as local_data

from metaflow_hera.contract.code_package import MODULES, read_at_import

# What `be_of` resets: a Metaflow that has it no more is found out by the import, not by a pod.
_UNREAD, _CACHE = meta_files._UNINITIALIZED, MetaflowCodeContent._cached_mfcontent_info


def imported_from() -> str:
    """The code package, or what stands for it, that Metaflow was imported from."""
    return str(os.path.dirname(os.path.dirname(os.path.dirname(metaflow.__file__))))


def be_of(package: str) -> str | None:
    """Have Metaflow be as if it had been imported from another package, with the present environment.

    Returns a sentence that says why it cannot be, or None.
    """
    imported = imported_from()
    places = [os.path.join(each, MODULES, "metaflow") for each in (imported, package)]
    if not (os.path.exists(places[0]) and os.path.samefile(*places)):
        return "The code package has other modules than those imported."
    if read_at_import(imported) != read_at_import(package):
        return "The code package was made by another version, or with other extensions."
    util.__file__ = os.path.join(places[1], "util.py")  # for its get_metaflow_root
    meta_files._info_file_content = _UNREAD
    _CACHE.clear()
    _read_local_root()
    return None


def _read_local_root() -> None:
    """Let the local datastore be where the environment says (metaflow_config.py)."""
    root = from_conf("DATASTORE_SYSROOT_LOCAL")
    data = os.path.join(root, metaflow_config.DATATOOLS_SUFFIX) if root else None
    metaflow_config.DATASTORE_SYSROOT_LOCAL = local_storage.DATASTORE_SYSROOT_LOCAL = root
    local_storage.LocalStorage.SYSROOT_VAR = root
    data = from_conf("DATATOOLS_LOCALROOT", data)
    metaflow_config.DATATOOLS_LOCALROOT = local_data.DATATOOLS_LOCALROOT = data
