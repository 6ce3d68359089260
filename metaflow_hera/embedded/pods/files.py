"""The files that a pod leaves in the home, and the process that they name; see `pods` for what they are."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from metaflow_hera.embedded.controller.messages import RESULT
from metaflow_hera.embedded.pods import keeper
from metaflow_hera.embedded.storage.reader import PodRow

OUTPUT_LIMIT = 262_144
"""Bytes of one output parameter: Argo's documented limit of 256 kB."""

LOG_LIMIT = 50 * 1024 * 1024
LOG_KEPT = 10 * 1024 * 1024
"""The most bytes of a pod's log, and how many are kept of a longer one: the defaults of Kubernetes' kubelet,
which keeps five files of 10 MiB."""

PROGRESS_LIMIT = 4096
"""Bytes at the end of a progress file that are looked at: only its last line counts."""

MESSAGE_LIMIT = 4096
"""Bytes of a termination message: Kubernetes' limit."""


def open_log(home: Path, row: PodRow) -> BinaryIO:
    """The log of a pod, open for reading. A link that the pod put in its place is not followed.

    Raises:
        OSError: there is none, or it is not a plain file.
    """
    folder, name = row.folder.split("/")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # not blocking: a FIFO would hold up the server
    directory = os.open(home / "pods" / folder, flags | os.O_DIRECTORY)
    try:
        file = os.fdopen(os.open(f"{name}.logs", flags, dir_fd=directory), "rb")
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{name}.logs is not a plain file")
    return file


@dataclass(frozen=True, slots=True)
class State:
    """What the state file of a pod says: its process and when that was started, and its exit code.

    All are None while nobody has claimed it; `code` is None until it is over.
    """

    pid: int | None = None
    began: str | None = None
    code: int | None = None


def read_state(path: str) -> State:
    """The state of a pod."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]  # a line without a newline is incomplete
        pid, _, began = lines[0].decode().partition(" ")
        return State(int(pid), began or None, int(lines[1]) if len(lines) > 1 else None)
    except (OSError, ValueError, IndexError):
        return State()


def is_alive(state: State) -> bool:
    """Whether the process of a pod runs, and is not a later one with the same number.

    Version 0.2 did not note when it was started.
    """
    began = keeper.began(state.pid) if state.pid else None
    return began is not None and state.began in (None, began)


def read_outputs(folder: str, files: dict[str, str]) -> dict[str, str]:
    """The content of output files, without one newline at the end, as Argo's executor reads them.

    Raises:
        ValueError: one is larger than `OUTPUT_LIMIT`, not a plain file, or a link out of the pod's folder.
    """
    found: dict[str, str] = {}
    if not files:
        return found
    # The pod may have replaced its own folder, and that of its workflow, by links: these are not followed.
    above, workflow, name_of_pod = folder.rsplit(os.sep, 2)
    inside = os.path.join(os.path.realpath(above), workflow, name_of_pod)
    for name, path in files.items():
        if not os.path.lexists(path):
            continue
        real = os.path.realpath(path)
        if not real.startswith((f"{inside}.out-", f"{inside}.vol-", inside + os.sep)):
            raise ValueError(f"output parameter {name!r}: {path} leads out of the pod's folder")
        try:  # not blocking: a FIFO would hold up the server
            with open(os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise ValueError(f"output parameter {name!r}: {path} is not a plain file")
                if name == RESULT:  # its end, as CaptureScriptResult of Argo's executor keeps it
                    size = file.seek(0, os.SEEK_END)
                    file.seek(max(0, size - OUTPUT_LIMIT - 1))
                    content = file.read(OUTPUT_LIMIT + 1).removesuffix(b"\n")[-OUTPUT_LIMIT:]
                    found[name] = content.decode("utf-8", "replace")
                    continue
                content = file.read(OUTPUT_LIMIT + 1)
        except OSError as error:
            raise ValueError(f"output parameter {name!r}: {error}") from error
        if len(content) > OUTPUT_LIMIT:
            raise ValueError(f"output parameter {name!r}: Too long: must have at most {OUTPUT_LIMIT} bytes")
        found[name] = re.sub(r"\n\Z", "", content.decode("utf-8", "replace"))
    return found


def shorten(path: str) -> None:
    """Keep a log below `LOG_LIMIT`, as a kubelet does: of a longer one, the end is kept.

    Its writer appends, so it continues where the file then ends.
    """
    try:
        if os.stat(path, follow_symlinks=False).st_size <= LOG_LIMIT:
            return
        with open(os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW), "rb+") as file:
            file.seek(-LOG_KEPT, os.SEEK_END)
            kept = file.read(LOG_KEPT)
            kept = kept.partition(b"\n")[2] or kept  # from the start of a line, if one starts there
            file.truncate(0)
            file.write(b"[earlier lines were dropped: the log was too long]\n" + kept)
    except OSError:
        return


def read_message(path: str) -> str:
    """The termination message that a pod left, as far as Kubernetes keeps it; only from a plain file."""
    try:  # not blocking: a FIFO would hold up the server
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            # What appends to it writes after the room that was made for it.
            text = file.read(2 * MESSAGE_LIMIT).strip(b"\0")[:MESSAGE_LIMIT] if plain else b""
            return text.decode("utf-8", "replace")
    except OSError:
        return ""


def read_progress(path: str) -> tuple[int, int] | None:
    """What a pod has last told of its progress, as `N/M`: how much is done, of how much.

    As Argo's executor reads it (monitorProgress in executor.go); None for what it does not accept.
    """
    try:  # not blocking: a FIFO would hold up the server
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            file.seek(max(0, file.seek(0, os.SEEK_END) - PROGRESS_LIMIT))
            lines = file.read(PROGRESS_LIMIT).strip().split(b"\n")
    except OSError:
        return None
    found = re.fullmatch(rb"(\d{1,18})/(\d{1,18})", lines[-1].strip())
    done, total = (int(found[1]), int(found[2])) if found else (0, 0)
    return (done, total) if done <= total and total else None


def signal_group(pid: int, number: int) -> None:
    """Signal a pod's processes, if there are any; a `pid` of 0 is none."""
    if pid > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def remove_soon(folder: str) -> None:
    """Remove a folder with all that is in it; a large one takes a while, and the loop does not wait."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        pass
    except OSError:
        threading.Thread(target=remove, args=(folder,), daemon=True).start()


def remove(folder: str) -> None:
    """Remove a folder with all that is in it, even what a pod has made read-only."""

    def in_spite(function: Callable[[str], object], path: str, _: object) -> None:
        if function in (os.unlink, os.rmdir) and path != folder:
            with contextlib.suppress(OSError):  # what still cannot be removed stays
                _make_writable(os.path.dirname(path))
                function(path)

    shutil.rmtree(folder, onerror=in_spite)


def _make_writable(folder: str) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(opened, 0o700)
    finally:
        os.close(opened)
