"""What pods share that are forked from one process, and what each of them does to be its own (`bootstrap`).

The process has imported the modules that the code packages of its pods have in common, from a folder that
outlasts each of the packages.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Collection

from metaflow_hera.contract import environment
from metaflow_hera.contract.own_lines import STARTS_ANEW

MODULES, INFO = ".mf_code", ".mf_meta/INFO"
"""Where a code package has its modules, and Metaflow's note of what has made it."""

SHARED, ROOT = "modules-", "root-"
"""How the names of folders in the cache begin: those with modules, and those of `root_of`."""


def root_of(package: str, own: Collection[str]) -> str:
    """The folder to import a package's modules from, where `own` are the variables that are a pod's own.

    It is the package itself if that is the same for all pods.
    """
    return _root(package) if environment.CODE_URL in own else package


def _root(package: str) -> str:
    """A folder with a package's modules that is like a package, but without a flow; it is made once.

    A package that shares its modules with no other is its own.
    """
    name = os.path.basename(os.path.dirname(os.path.realpath(os.path.join(package, MODULES, "metaflow"))))
    if not name.startswith(SHARED):
        return package
    cache = os.environ[environment.EMBEDDED_CACHE]
    modules, root = (os.path.join(cache, each) for each in (name, ROOT + name[len(SHARED) :]))
    if not os.path.isdir(root):
        new = tempfile.mkdtemp(dir=cache)
        for folder in (MODULES, os.path.dirname(INFO)):
            os.mkdir(os.path.join(new, folder))
        for each in os.listdir(modules):
            os.symlink(os.path.join(modules, each), os.path.join(new, MODULES, each))
        for each in (".mf_install", INFO):
            shutil.copyfile(os.path.join(package, each), os.path.join(new, each))
        try:
            os.rename(new, root)
        except OSError:  # another process has been quicker
            shutil.rmtree(new)
    return root


def import_all(own: Collection[str]) -> None:
    """Import what all pods import, without variables that are a pod's own, and nothing of the user's.

    The current folder is that of `root_of`.
    """
    for name in (*own, environment.CODE_SHA):
        os.environ.pop(name, None)
    sys.path.remove(os.getcwd())
    from metaflow_hera.metaflow_api.pod.run_store import import_client
    from metaflow_hera.runtime import pod  # noqa: F401

    import_client(os.environ[environment.CODE_DATASTORE])


def take_over(package: str) -> None:
    """Be as if the modules were imported from this package; where that cannot be, start anew."""
    from metaflow_hera.metaflow_api.pod.code_package import be_of

    _root(package)  # which may have been removed since
    own = next((name for name in os.listdir(package) if name.partition(".")[0] in sys.modules), None)
    why = be_of(package) if own is None else f"{own} stands for a module that Metaflow imports."
    if why is not None:
        print(why, STARTS_ANEW, flush=True)
        # The embedded Argo sets `orig_argv` in all versions of Python.
        os.execv(sys.executable, sys.orig_argv)  # novermin
