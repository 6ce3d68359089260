"""The server's end of its keeper: orders to it, answers from it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.pods import keeper
from metaflow_hera.embedded.pods.containers import Process

LOG_BYTES = 1_000_000
PACKAGES = str(Path(__file__).parents[3])
KEEPER = """
import sys
sys.path.append(sys.argv[1])
from metaflow_hera.embedded.pods.keeper import main
main(int(sys.argv[2]))
"""


class KeeperClient:
    """A keeper of pods (see `keeper`), started with the first order. Used by one thread.

    It writes about its own faults to the file `log`. `lost` says that it has ended, which it never
    should: the caller must then watch the pods that it started itself.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._room = 0
        self.lost = False

    def sources(self) -> Sequence[socket.socket]:
        """What to wait for: it becomes readable when there are answers."""
        return [self._socket] if self._socket is not None else []

    def start(self, number: int, folder: str, what: Process) -> None:
        """Have a pod started when there is room; `number` names it from now on."""
        order = {"start": number, "folder": folder, "argv": what.argv, "env": what.env, "cwd": what.cwd}
        self._order(order if what.own is None else {**order, "own": what.own})

    def start_now(self, number: int) -> None:
        """Have a pod that waits started, room or not."""
        self._order({"now": number})

    def give_room(self, room: int) -> None:
        """Say how many pods may run at once."""
        if room != self._room:
            self._room = room
            if self._socket is not None:
                self._order({"room": room})

    def signal(self, number: int, which: int) -> None:
        """Signal the process group of a pod; one that waits is dropped, one that has ended left alone."""
        self._order({"signal": number, "number": which})

    def answers(self) -> Iterator[JSON]:
        """What it has reported since the last call."""
        while self._socket is not None:
            try:
                data = self._socket.recv(keeper.RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            if not data:
                self._end()
                self.lost = True
                return
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            yield from map(json.loads, lines)

    def close(self) -> None:
        """Leave it to its pods: it ends with the last of them."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _order(self, order: JSON) -> None:
        if self._socket is None:
            self._begin()
        assert self._socket is not None
        with contextlib.suppress(ConnectionError):  # the next read of its answers shows that it has ended
            self._socket.sendall(json.dumps(order).encode() + b"\n")

    def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.unlink()
        with theirs, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", KEEPER, PACKAGES, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket, self._buffer = ours, b""
        self._order({"room": self._room})

    def _end(self) -> None:
        self.close()
        if self._process is not None:
            self._process.wait()
            self._process = None
