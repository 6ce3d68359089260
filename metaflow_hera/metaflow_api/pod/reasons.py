"""Why a task fails, in one line: what `status`, Argo and Metaflow's metadata show of it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from pathlib import Path

from metaflow.exception import MetaflowException


def words_of(error: BaseException) -> str:
    """An exception's type, the first line of what it says, and what to do if it is of a pod's own kind."""
    said = ""
    with contextlib.suppress(Exception):  # its text is the user's code
        said = _metaflows(error) if isinstance(error, MetaflowException) else str(error)
    line = next(filter(None, map(str.strip, said.splitlines())), "")
    return (f"{type(error).__name__}: {line}" if line else type(error).__name__) + _advice(error)


def absent_variable(error: BaseException) -> bool:
    """Whether an exception says that an environment variable is not set."""
    if not isinstance(error, KeyError) or error.__traceback__ is None:
        return False
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals is vars(os)


def _metaflows(error: MetaflowException) -> str:
    """The first sentence of what Metaflow says, in one line without its marks, and the script's line."""
    said = ""
    for line in filter(None, map(str.strip, str(error.message).splitlines())):
        said = f"{said} {line}".lstrip()
        if not line.endswith(":"):  # a list follows, or a stack
            break
    where = f" (line {error.line_no})" if error.line_no else ""
    return said.replace("*", "") + where


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
    """What differs in a pod, or between steps, where that may be the reason; in brackets, or nothing."""
    said = ""
    with contextlib.suppress(Exception):  # what an exception holds is the user's, too
        said = _what_to_do(error)
    return f" ({said})" if said else ""


def _what_to_do(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, EOFError):
        return "nobody can type into a pod: make what input() asks for a Parameter"
    if kind == "BdbQuit":
        return "nobody can type into a pod: take breakpoint() away, or use it in python FLOW.py run"
    if kind == "UnpicklableArtifactException":
        return "what is assigned to self is stored: keep what cannot be pickled in a variable of the step"
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str):
        return _absent_file(Path(error.filename))
    if isinstance(error, ModuleNotFoundError):
        return (
            "a pod has the code below the flow's folder, and the packages of its environment: "
            "put the module there, or install it"
        )
    if absent_variable(error):
        return "a pod has no variables of your shell: set it with @environment or @secrets"
    artifact = re.match(r"Flow \w+ has no attribute '(\w+)'", str(error))
    if isinstance(error, AttributeError) and artifact:
        return (
            f"assign self.{artifact[1]} in a step before; "
            "a join passes artifacts on with self.merge_artifacts(inputs)"
        )
    return ""


def _absent_file(path: Path) -> str:
    folder = Path(str(getattr(sys.modules["__main__"], "__file__", "."))).parent
    if not path.suffix or (path.is_absolute() and folder not in path.parents):
        return ""
    return (
        f"if it is a file of the flow's folder, deploy with --package-suffixes {path.suffix}: "
        "by default only code is packed"
    )
