"""The process that is the parent of pods; `keeper_client` starts it.

It outlives a server that is killed, so that the exit code of each pod is kept. One server has one keeper; it
ends when its server is gone and its last pod has ended. It uses the standard library only, and little
of that, to take little memory from the pods.

It reads orders from a socket and answers there, a line of JSON each:

    {"start": ID, "folder": F, "argv": [...], "env": {...}, "cwd": D}
                                                 and `own`, names of variables, if it may be forked
    {"room": N}                                  how many pods may run at once; others wait
    {"now": ID}                                  start one that waits, room or not
    {"signal": ID, "number": N}                  to the process group of a pod; one that waits is dropped

    {"id": ID, "pid": P, "began": T}             it runs; T is its start, in the system's own form
    {"id": ID, "dropped": true}                  it will not be started
    {"id": ID, "error": TEXT}                    it could not be started
    {"id": ID, "claimed": true}                  another keeper has it
    {"id": ID, "code": N}                        it is over
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from typing import Any

from metaflow_hera.embedded.pods.spawning import SPARED, open_log, spawn
from metaflow_hera.embedded.pods.warm import Forked, WarmProcesses

JSON = dict[str, Any]

STATE_BYTES = 64
"""The size of a state file, written with the claim: so the rest fits even if the disk is full later."""

FULL_SECONDS = 1.0
"""Seconds between two attempts to start pods on a disk that is full."""

RECEIVE = 1 << 14
"""Bytes read at once; for many more, memory would be allocated and freed each time."""

FULL = (errno.ENOSPC, errno.EDQUOT)


def began(pid: int) -> str | None:
    """When a process was started, in the system's own form; with its number, this identifies it for good.

    None if there is no such process, or if it has ended and is yet to be reaped.
    """
    if sys.platform == "linux":
        try:
            file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)  # `open` does more, which takes longer
        except OSError:
            return None
        try:
            # The name of the program comes before, in brackets, and may hold anything.
            fields = os.read(file, 4096).rpartition(b")")[2].split()
        except OSError:
            return None
        finally:
            os.close(file)
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    return None if not shown or shown[0].startswith("Z") else "-".join(shown[1:])


class Keeper:
    """The pods of one server."""

    def __init__(self, server: socket.socket) -> None:
        self._server: socket.socket | None = server
        self._pids: dict[int, int] = {}
        self._pods: dict[int, tuple[int, int, int]] = {}
        self._waiting: dict[int, JSON] = {}
        self._warm = WarmProcesses()
        self._room = 0
        self._disk_is_full = False
        self._buffer = b""
        self._answers = b""

    def run(self) -> None:
        """Work until the server is gone and no pod runs."""
        woken, wake = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in SPARED:
            signal.signal(number, signal.SIG_IGN)
        while self._server is not None or self._pods:
            sources = [woken, *([self._server] if self._server is not None else []), *self._warm.sources()]
            behind = [self._server] if self._server is not None and self._answers else []
            timeout = FULL_SECONDS if self._disk_is_full else self._warm.timeout()
            ready = select.select(sources, behind, [], timeout)[0]
            self._disk_is_full = False
            if woken in ready:
                woken.recv(RECEIVE)
                self._reap()
            if self._server in ready:
                self._receive()
            for order, forked in self._warm.read(ready):
                self._start_as(order, forked)
            for order in self._warm.late():
                self._start_as(order, None)
            while self._waiting and self._has_room() and not self._disk_is_full:
                self._start(self._waiting.pop(next(iter(self._waiting))))
            self._send()
        self._warm.close()

    def _has_room(self) -> bool:
        return len(self._pods) + len(self._warm) < self._room

    def _receive(self) -> None:
        assert self._server is not None
        try:
            data = self._server.recv(RECEIVE)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._server.close()
            self._server = None
            # An order that was cut short was never given, and pods that wait are not claimed: both are left
            # to the next server.
            self._waiting.clear()
            self._warm.close()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "start" in order:
                self._waiting[order["start"]] = order
            elif "room" in order:
                self._room = order["room"]
            elif "now" in order:
                if order["now"] in self._waiting:
                    self._start(self._waiting.pop(order["now"]))
            else:
                self._signal(order["signal"], order["number"])

    def _send(self) -> None:
        """Send as much as the server takes now: waiting for it to take more would hold up the pods."""
        if self._server is not None and self._answers:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._answers = self._answers[self._server.send(self._answers) :]

    def _answer(self, number: int, **what: Any) -> None:
        self._answers += json.dumps({"id": number, **what}).encode() + b"\n"

    def _start(self, order: JSON) -> None:
        """Start a pod, or have it forked."""
        if not self._warm.take(order):
            self._start_as(order, None)

    def _start_as(self, order: JSON, forked: Forked | None) -> None:
        """Claim a pod and have it run: the one that was forked for it, or else a new process."""
        number, folder = order["start"], order["folder"]
        with contextlib.ExitStack() as unless_it_runs:
            if forked is not None:
                unless_it_runs.callback(forked.talk.close)
            try:
                state = _claim(folder)
            except FileExistsError:
                self._answer(number, claimed=True)
                return
            except OSError as error:
                if error.errno in FULL:
                    self._put_off(order)
                else:
                    self._answer(number, error=error.strerror or str(error))
                return
            try:
                pid = _spawn(order) if forked is None else forked.pid
            except Exception as error:  # whatever a manifest holds ends its own pod, never the keeper
                if isinstance(error, OSError) and error.errno in FULL:
                    os.close(state)
                    os.unlink(f"{folder}.state")
                    self._put_off(order)
                    return
                text = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
                os.pwrite(state, b"0 -\n128\n", 0)
                os.close(state)
                self._answer(number, error=text or str(error))
                return
            since = began(pid) or "-"
            head = f"{pid} {since}\n".encode()
            os.pwrite(state, head, 0)
            if forked is not None:
                forked.go()
        self._pids[pid] = number
        self._pods[number] = (pid, state, len(head))
        self._answer(number, pid=pid, began=since)

    def _put_off(self, order: JSON) -> None:
        """Start nothing for a while, then this pod first."""
        self._disk_is_full = True
        self._waiting = {order["start"]: order, **self._waiting}

    def _signal(self, number: int, which: int) -> None:
        if self._waiting.pop(number, None) is not None or self._warm.drop(number):
            self._answer(number, dropped=True)
        elif number in self._pods:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pods[number][0], which)

    def _reap(self) -> None:
        while (ended := self._ended()) is not None:
            pid, code = ended
            number = self._pids.pop(pid, None)
            if number is None:  # a warm process, or what a pod has left behind: see `warm`
                continue
            _, state, place = self._pods.pop(number)
            os.pwrite(state, f"{code}\n".encode(), place)
            os.close(state)
            self._answer(number, code=code)

    def _ended(self) -> tuple[int, int] | None:
        """A child that has ended, and its exit code as a shell gives it; what a pod left behind is ended."""
        try:
            if not hasattr(os, "waitid"):  # macOS before Python 3.13
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return None
                self._end_group(pid)
                code = os.waitstatus_to_exitcode(status)
                return pid, code if code >= 0 else 128 - code
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            if found is None:
                return None
            self._end_group(found.si_pid)  # until it is waited for, no other process can get its number
            os.waitpid(found.si_pid, 0)
        except ChildProcessError:  # there is none
            return None
        return found.si_pid, found.si_status if found.si_code == os.CLD_EXITED else 128 + found.si_status

    def _end_group(self, pid: int) -> None:
        if pid in self._pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def _claim(folder: str) -> int:
    """Create the state file of a pod, which nobody else can do then; returns its descriptor.

    It is locked as long as it is open: so a server sees whether there is still a keeper that will write how
    the pod ends.
    """
    path = f"{folder}.state"
    state = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(state, fcntl.LOCK_EX)
        os.write(state, b" " * STATE_BYTES)
    except OSError:
        os.close(state)
        os.unlink(path)
        raise
    return state


def _spawn(order: JSON) -> int:
    """Start the process of a pod; returns its number, which is that of its group too."""
    os.chdir(order["cwd"])
    log = open_log(order["folder"])
    try:
        return spawn(order["argv"], order["env"], log)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            raise OSError(error.errno, "exec format error") from error
        raise
    finally:
        os.close(log)


def main(descriptor: int) -> None:
    """Keep pods for the server at the other end of a socket."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.umask(0o077)
    server = socket.socket(fileno=descriptor)
    server.set_inheritable(False)  # otherwise pods could read and write there, and would keep it open
    server.setblocking(False)
    Keeper(server).run()
