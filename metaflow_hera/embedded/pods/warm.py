"""The processes from which the keeper has pods forked, see `warm_process`: one for all pods that start alike.

Two pods start alike if interpreter, program, annotation and environment are the same, but for the variables
that the annotation declares a pod's own. A pod that cannot be forked, for whatever reason, is started cold:
nothing here may fail it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metaflow_hera.embedded.pods.spawning import open_log, spawn

JSON = dict[str, Any]

KEPT = 4
"""How many warm processes there may be."""

PATIENCE = 30.0
"""Seconds for a warm process to get ready, and for a fork; a pod that waits for longer starts cold."""

REFUSED = 1000
"""How many kinds of pods are remembered that cannot be forked."""

AGAIN = 60.0
"""Seconds after which that is tried again, twice as long after each further failure: what was wrong may have
been wrong with the first of them alone."""
NEVER = 0.0, AGAIN / 2
"""Until when one is refused that never was, and half of how long it is at first."""

PR_SET_CHILD_SUBREAPER = 36


@dataclass(slots=True)
class Forked:
    """A forked pod that waits for leave to run: `talk` takes a byte for it, and is closed to end it."""

    pid: int
    talk: socket.socket

    def go(self) -> None:
        """Have it run."""
        with self.talk, contextlib.suppress(OSError):  # it was killed, and will be reaped
            self.talk.send(b"+")


@dataclass(slots=True)
class _Warm:
    """A warm process; `waiting` are the orders for it until it is `ready`."""

    control: socket.socket
    pid: int
    since: float
    ready: bool = False
    waiting: list[JSON] = field(default_factory=list)


@dataclass(slots=True)
class _Fork:
    """An order that was sent."""

    order: JSON
    since: float


class WarmProcesses:
    """Has pods forked. It takes an order with `take`, and gives each back with `read` or `late`."""

    def __init__(self) -> None:
        self._warm: dict[int, _Warm] = {}  # by kind, the one used last at the end
        self._forks: dict[socket.socket, _Fork] = {}
        self._refused: dict[int, tuple[float, float]] = {}  # by kind: until when, and for how long
        self._can: bool | None = None

    def __len__(self) -> int:
        """How many orders it has."""
        return len(self._forks) + sum(len(warm.waiting) for warm in self._warm.values())

    def take(self, order: JSON) -> bool:
        """Take an order, unless its pod has to start cold."""
        if "own" not in order or order["argv"][1:2] != ["-c"] or len(order["argv"]) < 3:
            return False
        kind = _kind(order)
        if self._refused.get(kind, NEVER)[0] > time.monotonic() or not self._can_fork():
            return False
        warm = self._warm.pop(kind, None)
        if warm is None:
            if not self._make_room():
                return False
            try:
                warm = _start(order)
            except Exception:  # its pod is started cold, and tells why that fails
                self._refuse(kind)
                return False
        self._warm[kind] = warm
        if warm.ready:
            return self._send(warm, order)
        warm.waiting.append(order)
        return True

    def drop(self, number: int) -> bool:
        """Forget an order; returns whether it was here."""
        for warm in self._warm.values():
            for order in warm.waiting:
                if order["start"] == number:
                    warm.waiting.remove(order)
                    return True
        for talk, fork in self._forks.items():
            if fork.order["start"] == number:
                talk.close()
                del self._forks[talk]
                return True
        return False

    def sources(self) -> list[socket.socket]:
        """What to wait for before `read`."""
        return [*self._forks, *(warm.control for warm in self._warm.values())]

    def timeout(self) -> float | None:
        """Seconds until `late` has something to do, or None."""
        times = [fork.since for fork in self._forks.values()]
        times += [warm.since for warm in self._warm.values() if warm.waiting]
        return max(0.0, min(times) + PATIENCE - time.monotonic()) if times else None

    def read(self, ready: Sequence[object]) -> Iterator[tuple[JSON, Forked | None]]:
        """The orders that are done with: each with its forked pod, or None if it has to start cold."""
        for talk, fork in list(self._forks.items()):
            if talk in ready:
                del self._forks[talk]
                yield fork.order, _told(talk)
        for kind, warm in list(self._warm.items()):
            if warm.control in ready:
                yield from self._heard(kind, warm)

    def late(self) -> Iterator[JSON]:
        """The orders that have waited for too long, to be started cold."""
        end = time.monotonic() - PATIENCE
        for talk, fork in list(self._forks.items()):
            if fork.since <= end:
                talk.close()  # which ends the pod, should it still come to be
                del self._forks[talk]
                yield fork.order
        for kind, warm in list(self._warm.items()):
            if warm.waiting and warm.since <= end:
                with contextlib.suppress(ProcessLookupError):  # or what hangs would stay for good
                    os.killpg(warm.pid, signal.SIGKILL)
                yield from self._lose(kind, warm)

    def close(self) -> None:
        """Forget all orders and end all warm processes."""
        for talk in self._forks:
            talk.close()
        for warm in self._warm.values():
            warm.control.close()
        self._forks.clear()
        self._warm.clear()

    def _heard(self, kind: int, warm: _Warm) -> Iterator[tuple[JSON, Forked | None]]:
        """A warm process is ready, or has ended."""
        try:
            told = warm.control.recv(1)
        except OSError:
            told = b""
        if told:
            warm.ready = True
            self._refused.pop(kind, None)
            orders, warm.waiting = warm.waiting, []
            yield from ((order, None) for order in orders if not self._send(warm, order))
        else:
            yield from ((order, None) for order in self._lose(kind, warm))

    def _lose(self, kind: int, warm: _Warm) -> list[JSON]:
        """Give up a warm process; returns the orders that waited for it."""
        warm.control.close()
        del self._warm[kind]
        if not warm.ready:
            self._refuse(kind)
        return warm.waiting

    def _send(self, warm: _Warm, order: JSON) -> bool:
        """Send an order; returns whether that was possible."""
        try:
            talk = _send(warm.control, order)
        except OSError:
            return False
        self._forks[talk] = _Fork(order, time.monotonic())
        return True

    def _make_room(self) -> bool:
        """Have room for one more warm process; the one that was not used for the longest time makes way."""
        if len(self._warm) < KEPT:
            return True
        for kind, warm in self._warm.items():
            if warm.ready:
                warm.control.close()  # a pod that it forks just now goes on
                del self._warm[kind]
                return True
        return False

    def _refuse(self, kind: int) -> None:
        pause = 2 * self._refused.pop(kind, NEVER)[1]
        self._refused[kind] = time.monotonic() + pause, pause
        if len(self._refused) > REFUSED:
            del self._refused[next(iter(self._refused))]

    def _can_fork(self) -> bool:
        """Whether this process becomes the parent of what its warm processes fork."""
        if self._can is None:
            self._can = sys.platform == "linux" and _become_subreaper()
        return self._can


def _become_subreaper() -> bool:
    try:
        import ctypes

        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def shared(env: Mapping[str, str], own: Sequence[str]) -> dict[str, str]:
    """The environment of all pods of a kind: without a pod's own variables. `*` at an end is anything."""
    names = {name for name in own if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in own if name.endswith("*"))
    return {name: value for name, value in env.items() if name not in names and not name.startswith(prefixes)}


def _kind(order: JSON) -> int:
    """The same for two pods that start alike."""
    environment = shared(order["env"], order["own"])
    program, _, code = order["argv"][:3]
    return hash((program, _file(program), code, frozenset(environment.items()), frozenset(order["own"])))


def _file(program: str) -> tuple[int, ...] | None:
    """Which file is at the end of a program's path: another interpreter may be there now.

    An environment that was made anew for the same interpreter is not told apart.
    """
    try:
        found = os.stat(program)
    except (OSError, ValueError):  # the start will tell
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _start(order: JSON) -> _Warm:
    """Start the warm process for a kind of pods. It works in a folder of the keeper's, not of the pod."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            theirs.set_inheritable(True)
            text = Path(__file__).with_name("warm_process.py").read_text(encoding="utf-8")
            program, _, code = order["argv"][:3]
            os.chdir("/")
            environment = shared(order["env"], order["own"])
            first = {name: order["env"][name] for name in order["own"] if name in order["env"]}
            ours.setblocking(False)
            ours.sendall(json.dumps(first).encode() + b"\n")  # which fails if it is too much to be held
            # What it prints is about itself, so it goes where the keeper's own faults go.
            pid = spawn([program, "-c", text, str(theirs.fileno()), code], environment, 2)
    except BaseException:
        ours.close()
        raise
    return _Warm(ours, pid, time.monotonic())


def _send(control: socket.socket, order: JSON) -> socket.socket:
    """Have a pod forked; returns what it will tell its number through."""
    if sys.platform != "linux":
        raise OSError("elsewhere nothing is forked")
    talk, theirs = socket.socketpair()
    descriptors: list[int] = []
    try:
        with theirs:
            descriptors.append(os.memfd_create("order"))
            pod = {"env": order["env"], "cwd": order["cwd"], "arguments": order["argv"][3:]}
            with open(descriptors[0], "w", encoding="utf-8", closefd=False) as file:
                json.dump(pod, file)
            os.lseek(descriptors[0], 0, os.SEEK_SET)
            descriptors.append(open_log(order["folder"]))
            socket.send_fds(control, [b"+"], [*descriptors, theirs.fileno()])
    except BaseException:
        talk.close()
        raise
    finally:
        for each in descriptors:
            os.close(each)
    return talk


def _told(talk: socket.socket) -> Forked | None:
    """The pod that tells its number; None if it ended before."""
    with contextlib.suppress(OSError, ValueError):
        return Forked(int(talk.recv(32)), talk)
    talk.close()
    return None
