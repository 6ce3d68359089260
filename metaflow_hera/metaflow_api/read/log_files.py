"""Metaflow's log files, read line by line: one may be larger than memory."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from metaflow.mflog.mflog import LINE_PARSER

BLOCK = 1 << 16
"""How many bytes are read at once from the end of a file."""


@dataclass(frozen=True)
class StoredLine:
    """A line of a task's log; `stream` is stdout or stderr."""

    stream: str
    time: datetime
    text: str


def merged_lines(files: Mapping[Path, str], last: int | None = None) -> Iterator[StoredLine]:
    """The lines of files, whose streams are given, in the order of their times.

    With `last`, so many lines from the end of each file, of which nothing else is read.
    """
    return heapq.merge(
        *(_lines(path, stream, last) for path, stream in files.items()), key=lambda line: line.time
    )


def _lines(path: Path, stream: str, last: int | None) -> Iterator[StoredLine]:
    time = datetime.fromtimestamp(0, timezone.utc)
    with path.open("rb") as file:
        if last is not None:
            file.seek(start_of_last(path, last))
        for line in file:
            match = LINE_PARSER.match(line)
            if match is not None:  # another line goes on where the one before has ended
                time = datetime.fromisoformat(match[3].decode()).replace(tzinfo=timezone.utc)
            text = line.removesuffix(b"\n") if match is None else match[6]
            yield StoredLine(stream, time, text.decode("utf-8", "replace"))


def start_of_last(path: Path, count: int) -> int:
    """Where the last lines of a file begin, one at least; 0 if it has no more than these."""
    with path.open("rb") as file:
        size = at = file.seek(0, os.SEEK_END)
        while at > 0:
            begin = max(0, at - BLOCK)
            file.seek(begin)
            block = file.read(at - begin)
            end = len(block) - block.endswith(b"\n") if at == size else len(block)
            if (here := block.count(b"\n", 0, end)) >= max(count, 1):
                for _ in range(max(count, 1)):
                    end = block.rfind(b"\n", 0, end)
                return begin + end + 1
            count -= here
            at = begin
    return 0
