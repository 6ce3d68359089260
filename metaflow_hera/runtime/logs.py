"""A task's logs: taken from the task's process line by line, stored while it runs."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from metaflow_hera.metaflow_api.pod.logs import decorated_line, update_delay

STREAMS = ("stdout", "stderr")
OF_THE_POD = {"stdout": 1, "stderr": 2}
"""The files of the pod's own log."""
MAX_LINE = 1 << 20
"""A line longer than this many bytes is stored in pieces, so that memory stays bounded."""
FULL = (errno.ENOSPC, errno.EDQUOT)
PATIENCE = 60.0
"""Seconds to wait for room on a full disk; the task waits as well, once the pipes to it are full."""

Save = Callable[[dict[str, Path]], None]


class TaskLogs:
    """The log files of one attempt, and their copy in the datastore.

    `save` stores the files, by stream; it is called from a thread of its own while the task runs, at
    growing intervals, and once more by `close`. A failure to store is reported on stderr and does
    not fail the task: the pod's own log still has every line. On a full disk lines wait for room, and are
    lost after a while: the task may be about to free it, or have its results elsewhere.
    """

    def __init__(self, folder: Path, save: Save) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = {stream: folder / stream for stream in STREAMS}
        self._files = {
            stream: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for stream, path in self._paths.items()
        }
        self._rest = dict.fromkeys(STREAMS, b"")
        self._save = save
        self._unsaved = False
        self._give_up: dict[int, float] = {}  # when, by file
        self._lost = 0
        self._closed = threading.Event()
        self._saver: threading.Thread | None = None

    def start(self) -> None:
        """Start to store the logs at intervals. Call it only after the task's process was forked."""
        self._saver = threading.Thread(target=self._save_at_intervals, daemon=True)
        self._saver.start()

    def write(self, stream: str, data: bytes) -> None:
        """Take what the task wrote to a stream: it goes to the pod's own log and to the file."""
        self._write(OF_THE_POD[stream], data)
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        if len(rest) > MAX_LINE:
            lines.append(rest)
            rest = b""
        self._rest[stream] = rest
        self._add(stream, lines, time.time())

    def add(self, stream: str, line: bytes, at: float | None = None) -> None:
        """Store one line, without its line feed, as of `at` (seconds since the epoch; now by default)."""
        self._add(stream, [line], time.time() if at is None else at)

    def _add(self, stream: str, lines: Sequence[bytes], at: float) -> None:
        now = datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None)
        self._write(self._files[stream], b"".join(decorated_line(line + b"\n", now) for line in lines))
        self._unsaved = True

    def _write(self, file: int, data: bytes) -> None:
        """Write all of it; while the disk is full, wait."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(file, rest) :]
                self._give_up.pop(file, None)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                if time.monotonic() >= self._give_up.setdefault(file, time.monotonic() + PATIENCE):
                    self._lost += len(rest)
                    return
                time.sleep(0.5)

    def note(self, line: str) -> None:
        """Write a line about the task to its stderr."""
        self.write("stderr", line.encode() + b"\n")

    def close(self) -> None:
        """Store the rest of the logs."""
        self._closed.set()
        if self._saver is not None:
            self._saver.join()
        for stream, rest in self._rest.items():
            if rest:
                self._write(OF_THE_POD[stream], b"\n")  # another task's lines may follow there
                self.add(stream, rest)
        if self._lost:
            self.note(f"The disk was full: {self._lost} bytes of the log were lost.")
        self._store()
        for file in self._files.values():
            os.close(file)

    def _save_at_intervals(self) -> None:
        start = time.monotonic()
        # The first wait is longer than most short tasks: those store their logs once, at the end.
        delay = 2.0
        while not self._closed.wait(delay):
            if self._unsaved:
                self._store()
            delay = max(1.0, update_delay(time.monotonic() - start))

    def _store(self) -> None:
        self._unsaved = False
        try:
            self._save(self._paths)
        except Exception as error:  # a datastore may raise anything
            said = f"The logs of pid {os.getpid()} could not be stored: {error}\n"
            with contextlib.suppress(OSError):
                os.write(2, said.encode("utf-8", "backslashreplace"))
