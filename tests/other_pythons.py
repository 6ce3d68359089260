"""Other interpreters on this machine than the one that runs the tests: from PATH and from pyenv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

VERSIONS = [(3, minor) for minor in range(9, 15)]
"""The versions of Python that a pod's image may have."""


@cache
def interpreter(version: tuple[int, int]) -> str | None:
    """The path of an interpreter of a version, None if this machine has none or it is that of the tests."""
    if version == sys.version_info[:2]:
        return None
    name = "python{}.{}".format(*version)
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [shutil.which(name), *map(str, sorted(root.glob(f"versions/*/bin/{name}")))]
    return next((path for path in found if path is not None and _is_of(path, version)), None)


def _is_of(path: str, version: tuple[int, int]) -> bool:
    asks = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([path, "-c", asks], capture_output=True, text=True, check=False)  # a shim may fail
    return done.stdout.split() == [str(part) for part in version]
