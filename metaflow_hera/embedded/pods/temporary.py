"""Where pods put temporary files: folders with short paths, however long that of the home is.

A unix socket's path may have 107 bytes (sun_path in unix(7), 103 on macOS), and programs put sockets some
40 bytes below their TMPDIR: Python's multiprocessing does, for managers, forkservers and queues.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Container
from itertools import count
from pathlib import Path

from metaflow_hera.embedded.pods.files import remove_soon

LONGEST = 48
"""The bytes of the path in which the folders are, so that 50 are left below each."""


class TemporaryFolders:
    """The folders of all pods, each named by its pod's number.

    They are in the home. Where its path is too long, `/tmp` has a link to it, which their paths go through.
    """

    def __init__(self, home: Path) -> None:
        self._place = str(home / "tmp")
        os.makedirs(self._place, mode=0o700, exist_ok=True)
        self._path = self._place if len(os.fsencode(self._place)) <= LONGEST else _link(self._place)

    def path(self, number: int) -> str:
        """The path of a pod's folder."""
        return f"{self._path}/{number}"

    def make(self, number: int) -> None:
        """Make the folder of a pod; a start cut short by a crash may have left it. Its path is then known."""
        if self._path != self._place:  # whoever tidies up /tmp may have taken the link, and others its name
            self._path = _link(self._place)
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{self._place}/{number}", 0o700)

    def remove(self, number: int) -> None:
        """Remove the folder of a pod that has ended."""
        remove_soon(f"{self._place}/{number}")

    def keep(self, numbers: Container[int]) -> None:
        """Remove all folders but those of some pods."""
        for name in os.listdir(self._place):
            if not name.isdecimal() or int(name) not in numbers:
                remove_soon(f"{self._place}/{name}")


def _link(place: str) -> str:
    """A short path to a folder; the folder's own where `/tmp` takes no link.

    Others may write to `/tmp`, but nobody can change what somebody else has put there.
    """
    name = f"/tmp/argo-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}"
    for number in count():
        path = f"{name}-{number}" if number else name
        try:
            with contextlib.suppress(FileExistsError):
                os.symlink(place, path)
            if os.lstat(path).st_uid == os.getuid() and os.readlink(path) == place:
                return path
        except OSError:
            if not os.path.lexists(path):
                return place
    raise AssertionError("one of them is free")
