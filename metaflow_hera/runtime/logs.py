"""A task's logs: taken from the task's process line by line, stored while it runs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from metaflow_hera.metaflow_api.pod.logs import decorated_line, update_delay

STREAMS = ("stdout", "stderr")
MAX_LINE = 1 << 20
"""A line longer than this many bytes is stored in pieces, so that memory stays bounded."""

Save = Callable[[dict[str, Path]], None]


class TaskLogs:
    """The log files of one attempt, and their copy in the datastore.

    `save` stores the files, by stream; it is called from a thread of its own while the task runs, at
    growing intervals, and once more by `close`. A failure to store is reported on stderr and does
    not fail the task: the pod's own log still has every line.
    """

    def __init__(self, folder: Path, save: Save) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = {stream: folder / stream for stream in STREAMS}
        self._files: dict[str, BinaryIO] = {s: path.open("wb") for s, path in self._paths.items()}
        self._rest = dict.fromkeys(STREAMS, b"")
        self._save = save
        self._unsaved = False
        self._closed = threading.Event()
        self._saver: threading.Thread | None = None

    def start(self) -> None:
        """Start to store the logs at intervals. Call it only after the task's process was forked."""
        self._saver = threading.Thread(target=self._save_at_intervals, daemon=True)
        self._saver.start()

    def write(self, stream: str, data: bytes) -> None:
        """Take what the task wrote to a stream: it goes to the pod's own log and to the file."""
        output = sys.stdout if stream == "stdout" else sys.stderr
        output.buffer.write(data)
        output.buffer.flush()
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        for line in lines:
            self.add(stream, line)
        if len(rest) > MAX_LINE:
            self.add(stream, rest)
            rest = b""
        self._rest[stream] = rest

    def add(self, stream: str, line: bytes, at: float | None = None) -> None:
        """Store one line, without its line feed, as of `at` (seconds since the epoch; now by default)."""
        now = datetime.fromtimestamp(time.time() if at is None else at, timezone.utc)
        self._files[stream].write(decorated_line(line + b"\n", now.replace(tzinfo=None)))
        self._unsaved = True

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
                self.add(stream, rest)
        self._store()

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
            for file in self._files.values():
                file.flush()
            self._save(self._paths)
        except Exception as error:  # a datastore may raise anything
            print(f"The logs of pid {os.getpid()} could not be stored: {error}", file=sys.stderr, flush=True)
