"""How much memory the processes of pods hold: known on Linux only, from /proc."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping

CAN_TELL = sys.platform == "linux"
PAGE = os.sysconf("SC_PAGE_SIZE")


def largest_above(limits: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Each process group that holds more memory than its limit, in bytes, with its largest process.

    What counts is what a container's limit counts and cannot be given back: memory of the processes' own,
    and shared memory; what they share, as after a fork, counts once. What a pod shares with what it was
    forked from is its own too: the largest process counts with all that it has.
    """
    for group, pids in _members(limits).items():
        # The pages that each has in memory are quick to read, and are never fewer.
        if sum(map(_resident, pids)) > limits[group]:
            parts, whole = {}, 0
            for pid in pids:
                parts[pid], its = _own(pid)
                whole = max(whole, its)
            if max(whole, sum(parts.values())) > limits[group]:
                yield group, int(max(parts, key=lambda pid: parts[pid]))


def _members(groups: Iterable[int]) -> dict[int, list[str]]:
    members: dict[int, list[str]] = {group: [] for group in groups}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # The name of the program comes before, in brackets, and may hold anything.
        fields = _read(pid, "stat").rpartition(b")")[2].split()
        group = int(fields[2]) if fields else 0
        if group in members:
            members[group].append(pid)
    return members


def _resident(pid: str) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) * PAGE if fields else 0


def _own(pid: str) -> tuple[int, int]:
    """Its part of the memory that is not a copy of a file, and all of it."""
    lines = [line.split() for line in _read(pid, "smaps_rollup").splitlines()]
    held = {line[0]: int(line[1]) * 1024 for line in lines[1:]}
    shared = held.get(b"Pss_Shmem:", 0)
    return held.get(b"Pss_Anon:", 0) + shared, held.get(b"Anonymous:", 0) + shared


def _read(pid: str, name: str) -> bytes:
    """A file of a process; empty once that has ended."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""
