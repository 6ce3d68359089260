"""Why a task fails, in one line: what `status`, Argo and Metaflow's metadata show of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def words_of(error: BaseException) -> str:
    """An exception's type, the first line of what it says, and what to do if it is of a pod's own kind."""
    said = ""
    with contextlib.suppress(Exception):  # its text is the user's code
        said = str(error)
    line = next(filter(None, map(str.strip, said.splitlines())), "")
    return (f"{type(error).__name__}: {line}" if line else type(error).__name__) + _advice(error)


ROOM = 4096
"""The bytes of a reason that there is room for on a disk that is full."""


def make_room(place: Path) -> None:
    """Make a file for a reason, so that there is room for it on a disk that fills up."""
    place.write_bytes(bytes(ROOM))


def leave_reason(place: Path, reason: str) -> None:
    """Leave a reason in a file, for the process that outlives the task."""
    with (
        contextlib.suppress(OSError),
        open(os.open(place, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file,
    ):
        file.write(reason.encode("utf-8", "backslashreplace")[:ROOM])
        file.truncate()


def reason_in(place: Path) -> str | None:
    """The reason that was left in a file; None if there is none. A task may have removed the file."""
    with contextlib.suppress(FileNotFoundError):
        return place.read_bytes().strip(b"\0").decode("utf-8", "replace") or None
    return None


def _advice(error: BaseException) -> str:
    """What differs in a pod, where that may be the reason."""
    if isinstance(error, EOFError):
        return " (nobody can type into a pod: make what input() asks for a Parameter)"
    name = error.filename if isinstance(error, FileNotFoundError) else None
    if isinstance(name, str) and Path(name).suffix and not Path(name).is_absolute():
        return (
            f" (if it is a file of the flow's folder, deploy with --package-suffixes {Path(name).suffix}: "
            "by default only code is packed)"
        )
    return ""
