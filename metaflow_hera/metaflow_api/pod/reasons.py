"""Why a task fails, in one line: what `status`, Argo and Metaflow's metadata show of it."""

from __future__ import annotations

import contextlib
from pathlib import Path


def words_of(error: BaseException) -> str:
    """An exception's type, and the first line of what it says."""
    said = ""
    with contextlib.suppress(Exception):  # its text is the user's code
        said = str(error)
    line = next(filter(None, map(str.strip, said.splitlines())), "")
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def leave_reason(place: Path, reason: str) -> None:
    """Leave a reason in a file, for the process that outlives the task. A full disk loses it."""
    with contextlib.suppress(OSError):
        place.write_text(reason, encoding="utf-8", errors="backslashreplace")
