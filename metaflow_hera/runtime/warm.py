"""What a process imports from which pods are forked, and what such a pod does to be its own (`bootstrap`).

The pods may have different code packages, of several versions or flows, with the same modules.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Collection
from hashlib import sha256
from importlib import import_module
from importlib.machinery import PathFinder

from metaflow_hera.contract import code_package, environment
from metaflow_hera.contract.own_lines import STARTS_ANEW

SHARED, ROOT = "modules-", "root-"
"""How the names of folders in the cache begin: those with modules, and those that `_root` makes."""


def root_of(package: str, own: Collection[str]) -> str:
    """The folder to import a package's modules from, where `own` are the variables that are a pod's own.

    It is the package itself if that is the same for all pods.
    """
    return _root(package) if environment.CODE_URL in own else package


def _root(package: str) -> str:
    """A folder with a package's modules that is like a package, but without a flow; it is made once.

    Packages come and go, while pods are forked. A package that shares its modules with no other is its own.
    """
    modules = os.path.realpath(os.path.join(package, code_package.MODULES, "metaflow"))
    name = os.path.basename(os.path.dirname(modules))
    if not name.startswith(SHARED):
        return package
    cache = os.environ[environment.EMBEDDED_CACHE]
    about = sha256(json.dumps(code_package.read_at_import(package)).encode()).hexdigest()[:8]
    root = os.path.join(cache, f"{ROOT}{name[len(SHARED) :]}-{about}")
    if not os.path.isdir(root):
        new = tempfile.mkdtemp(dir=cache)
        for file in (code_package.MARKER, code_package.INFO):
            os.makedirs(os.path.dirname(os.path.join(new, file)), exist_ok=True)
            shutil.copyfile(os.path.join(package, file), os.path.join(new, file))
        os.mkdir(os.path.join(new, code_package.MODULES))
        for each in os.listdir(os.path.join(cache, name)):
            os.symlink(os.path.join(cache, name, each), os.path.join(new, code_package.MODULES, each))
        try:
            os.rename(new, root)
        except OSError:  # another process has been quicker
            shutil.rmtree(new)
    return root


def import_all(root: str, own: Collection[str]) -> None:
    """Import what all pods import, without variables that are a pod's own, and nothing of the user's.

    `root` is the current folder, and the first to import from.
    """
    for name in (*own, environment.CODE_SHA):
        os.environ.pop(name, None)
    sys.path.remove(root)
    for name in ("metaflow_api.pod.code_package", "runtime.pod"):
        import_module(f"metaflow_hera.{name}")
    from metaflow_hera.metaflow_api.pod.run_store import import_client

    import_client(os.environ[environment.CODE_DATASTORE])


def take_over(package: str) -> None:
    """Be as if the modules were imported from this package; where that cannot be, start anew."""
    try:
        why = _cannot_be_of(package)
    except Exception as error:  # a full disk, or a cache that is removed just now
        why = f"{type(error).__name__}: {error}."
    if why is not None:
        print(why, STARTS_ANEW, flush=True)
        # The embedded Argo sets `orig_argv` in all versions of Python.
        os.execv(sys.executable, sys.orig_argv)  # novermin


def _cannot_be_of(package: str) -> str | None:
    """Have Metaflow be of a package. Returns a sentence that says why it cannot, or None."""
    from metaflow_hera.metaflow_api.pod.code_package import be_of, imported_from

    for file in os.listdir(package):
        name = file.partition(".")[0]
        if name in sys.modules and (spec := PathFinder.find_spec(name, [package])) and spec.has_location:
            return f"{file} stands for a module that Metaflow imports."
    if not os.path.exists(imported_from()):  # as it was removed with the cache
        _root(package)
    return be_of(package)
