"""A forked child that runs one piece of work, and the parent's part: its output, its signals, its end."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import io
import os
import select
import selectors
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from metaflow_hera.runtime.forking import fork_alone
from metaflow_hera.runtime.logs import STREAMS, TaskLogs

CHUNK = 1 << 16
F_GETPIPE_SZ = 1032
"""Of Linux, as in `fcntl` from Python 3.10 on."""
PASSED_ON = (signal.SIGTERM, signal.SIGINT)
MEANINGS = {
    "SIGKILL": "out of memory, perhaps: little else kills without a message",
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error",
    "SIGILL": "an illegal instruction",
    "SIGFPE": "an arithmetic error",
    "SIGABRT": "aborted, by a library's own check perhaps",
}
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL for a child that has to stop."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, 128 + signal if a signal ended it, and why, if not by itself.

    `asked` says that this process was asked to end meanwhile, and has passed that on.
    """

    code: int
    reason: str | None
    asked: bool = False


def run_forked(
    work: Callable[[], int],
    logs: TaskLogs,
    must_stop: Callable[[], str | None],
    on_start: Callable[[], None] = lambda: None,
) -> Ended:
    """Run `work` in a forked child until it ends; `on_start` is called in this process once the child exists.

    All that the child and its own children write goes to `logs`. SIGTERM and SIGINT are passed on to the
    child; this process lives on to store the logs. `must_stop` is asked each second for a reason to end the
    child. Before, a `RunStore` must rest: see `fork_alone`.
    """
    pipes = {stream: os.pipe() for stream in STREAMS}
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # the child need not collect what it shares with this process
    gc.enable()
    # A signal that arrives before this process can pass it on waits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    pid = fork_alone()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _be_child(work, pipes)
    for _, write_end in pipes.values():
        os.close(write_end)

    asked: list[int] = []

    def pass_on(signum: int, frame: FrameType | None) -> None:
        asked.append(signum)
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, signum)

    previous = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    exited, watcher = _watch(pid)
    on_start()
    stopper = _Stopper(pid, must_stop)
    try:
        _collect({read_end: stream for stream, (read_end, _) in pipes.items()}, exited, logs, stopper)
        watcher.join()
        _, status = os.waitpid(pid, 0)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(exited)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return Ended(128 - code, stopper.reason or signalled(-code), bool(asked))
    return Ended(code, stopper.reason, bool(asked))


def signalled(number: int) -> str:
    """That a signal has ended the task, in words."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = f" ({MEANINGS[name]})" if name in MEANINGS else ""
    return f"The task was ended by {name}{hint}."


class _Stopper:
    """Ends a child once there is a reason to: SIGTERM first, SIGKILL after a while."""

    def __init__(self, pid: int, must_stop: Callable[[], str | None]) -> None:
        self.reason: str | None = None
        self._pid = pid
        self._must_stop = must_stop
        self._kill_at = 0.0

    def look(self) -> None:
        """Ask for a reason to stop, or kill a child that did not. Its exit code must not be read yet."""
        now = time.monotonic()
        if self.reason is None:
            self.reason = self._must_stop()
            if self.reason is not None:
                os.kill(self._pid, signal.SIGTERM)
                self._kill_at = now + GRACE
        elif now >= self._kill_at:
            os.kill(self._pid, signal.SIGKILL)


def _be_child(work: Callable[[], int], pipes: dict[str, tuple[int, int]]) -> None:
    code = 1
    try:
        for target, stream in ((1, "stdout"), (2, "stderr")):
            os.dup2(pipes[stream][1], target)
        for ends in pipes.values():
            for end in ends:
                os.close(end)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(
                io.FileIO(fd, "wb", closefd=False), "utf-8", "backslashreplace", write_through=True
            )
            for fd in (1, 2)
        )
        code = work()
        # What the interpreter itself does at its end.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        # The parent's frames below must never run in the child.
        os._exit(code)


def _watch(pid: int) -> tuple[int, threading.Thread]:
    """A descriptor that becomes readable when the child has ended, even if others still hold its pipes."""
    read_end, write_end = os.pipe()

    def wait() -> None:
        _until_ended(pid)
        os.close(write_end)

    watcher = threading.Thread(target=wait, daemon=True)
    watcher.start()
    return read_end, watcher


def _until_ended(pid: int) -> None:
    """Wait for the end of a child without reading its exit code: until then its pid is not used again."""
    if sys.platform == "darwin" and sys.version_info < (3, 13):  # which has no waitid
        end = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        # It may have ended already.
        with contextlib.closing(select.kqueue()) as queue, contextlib.suppress(ProcessLookupError):
            queue.control([end], 1)
    else:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _collect(pipes: dict[int, str], exited: int, logs: TaskLogs, stopper: _Stopper) -> None:
    """Read the child's pipes until both are closed, or until it has ended and what it wrote is read.

    A process that it has left behind may write on and on: of each pipe no more is read then than it may have
    held when the child ended.
    """
    logs.start()
    ended = False
    left = {end: _capacity(end) for end in pipes}
    with selectors.DefaultSelector() as selector:
        for end in pipes:
            selector.register(end, selectors.EVENT_READ)
        selector.register(exited, selectors.EVENT_READ)
        while len(selector.get_map()) > (0 if ended else 1):
            ready = selector.select(0 if ended else 1.0)
            if ended and not ready:
                break
            if not ended:
                stopper.look()
            for key, _ in ready:
                end = key.fd
                if end == exited:
                    ended = True
                    selector.unregister(end)
                elif data := os.read(end, CHUNK):
                    logs.write(pipes[end], data)
                    left[end] -= len(data) if ended else 0
                    if left[end] <= 0:
                        selector.unregister(end)
                else:
                    selector.unregister(end)
    for end in pipes:
        os.close(end)


def _capacity(pipe: int) -> int:
    """The most bytes that a pipe holds."""
    if sys.platform == "linux":
        return fcntl.fcntl(pipe, F_GETPIPE_SZ)
    return CHUNK
