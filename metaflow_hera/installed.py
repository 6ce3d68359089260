"""What does not travel in a code package comes from an installed metaflow_hera of the same version.

In a pod the part of this package that travels comes first on `sys.path`, so it hides an installed one.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from itertools import chain
from types import ModuleType


def find_installed(name: str, path: list[str], version: str) -> None:
    """Have Python look in an installed package too for the modules that a package in a code package lacks.

    Args:
        name: the package.
        path: its `__path__`.
        version: the version that the installed one must have.
    """
    # Before the finder of an editable install, which finds modules of any version.
    place = sys.meta_path.index(PathFinder) + 1
    sys.meta_path.insert(place, _Installed(name, path, version))


class _Installed:
    """Finds a package's modules where it is installed. It looks when it is asked: most pods need none."""

    def __init__(self, name: str, path: list[str], version: str) -> None:
        self._name = name
        self._path = path
        self._version = version

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of the package, and add the place to the package's path.

        Raises ModuleNotFoundError with the reason where no package of the version is installed.
        """
        if fullname.rpartition(".")[0] != self._name or len(self._path) > 1:
            return None
        others = []
        for folder in self._folders():
            found = _version(folder)
            if found == self._version:
                self._path.append(folder)
                return PathFinder.find_spec(fullname, self._path)
            others.append(found)
        raise ModuleNotFoundError(
            f"{fullname} is not in the code package, and {self._name} {self._version} is not installed here"
            + (f" (but {others[0]})" if others else ""),
            name=fullname,
        )

    def _folders(self) -> Iterator[str]:
        """The folders of the packages with this name, but for the one in the code package."""
        by_path = (PathFinder.find_spec(self._name, [entry]) for entry in sys.path)
        # Metaflow puts a finder there that finds distributions alone.
        others = [
            finder
            for finder in sys.meta_path
            if finder not in (self, PathFinder) and hasattr(finder, "find_spec")
        ]
        for spec in chain(by_path, (finder.find_spec(self._name, None) for finder in others)):
            if spec is not None and spec.origin is not None and spec.submodule_search_locations:
                folder = os.path.dirname(spec.origin)
                if folder not in self._path:
                    yield folder


def _version(folder: str) -> str | None:
    """The version of the package in a folder, which is not imported for that."""
    with open(os.path.join(folder, "__init__.py"), encoding="utf-8") as file:
        found = re.search(r'^__version__ = "(.+)"$', file.read(), re.MULTILINE)
    return found[1] if found else None
