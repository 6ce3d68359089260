"""How a warm process is asked: each has a socket in a folder that all workers of a run of the tests share."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path
from typing import Any

AT_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "DYLD_", "MALLOC_", "OPENSSL_", "SSL_")
"""What the interpreter and its libraries read beside `os.environ`."""
ISOLATED = ("-I", "-S")
"""Options that make the start of a keeper quicker; a fork needs none."""
STAYS, ENDS = b"!", b"&"
"""How a call is asked for: it goes on when who has asked is gone, or ends then."""
LIKE_IT = """
import os, signal
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
def end_like_it(answers):
    pid = int(answers.readline())
    def pass_on(number, _):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    for number in SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    code = int(answers.readline())
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
def start_cold(*command):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.execv(command[0], command)
"""
"""The part of a program that stands for a call: the call gets its signals, and it ends as the call does."""
PATHS = "PYTHONPATH"
LIBRARIES = "libraries"
"""The kind of warm process without modules of this project or Metaflow. It is started without a PYTHONPATH;
that of a call counts once it is forked."""
PLACES = {"HOME", "METAFLOW_HOME"}
"""Looked up only to find Metaflow's configuration file: where there is one, each call imports it."""


class WarmProcess:
    """A warm process as one of its users has it. It ends when the last of them has closed it."""

    def __init__(self, path: Path, control: socket.socket, told: dict[str, Any]) -> None:
        self.path = path
        self._control = control
        self._env: dict[str, str] = told["env"]
        self.variables: list[str] = told["variables"]
        """What its imports have looked up, whether it was there or not."""
        self._read = {*self.variables} - PLACES
        self.kind: str = told["kind"]
        self.takes_paths = self.kind == LIBRARIES
        self.modules: set[str] = {*told["modules"]}
        """The names of imported modules, up to the first dot."""

    @classmethod
    def at(cls, path: Path) -> WarmProcess | None:
        """The one with a socket there, once it is ready; None if it has ended, or ends before it is."""
        control = socket.socket(socket.AF_UNIX)
        try:
            control.connect(str(path))
            with control.makefile("rb") as answers:
                told = answers.readline()
        except OSError:
            told = b""
        if not told:
            control.close()
            return None
        return cls(path, control, json.loads(told))

    def suits(self, env: Mapping[str, str]) -> bool:
        """Whether its imports would have seen the same in this environment."""
        return self.seen(self._env) == self.seen(env)

    def seen(self, env: Mapping[str, str]) -> frozenset[tuple[str, str]]:
        """What its imports see of an environment."""
        other = {name: value for name, value in env.items() if name != PATHS or not self.takes_paths}
        return seen(other, self._read)

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        out: int,
        err: int,
        passed: Sequence[int] = (),
    ) -> socket.socket:
        """Start a call that writes to two descriptors, which are closed here, and has those that are passed.

        Returns a socket that tells its process id and, at the end, its exit code, a line each.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [STAYS], [theirs.fileno(), out, err, *passed])
        finally:
            os.close(out)
            os.close(err)
        ours.sendall(json.dumps([list(arguments), str(folder), dict(env), [*passed]]).encode() + b"\n")
        return ours

    def close(self) -> None:
        """Give it up. Calls that it has forked go on."""
        self._control.close()


def paths(env: Mapping[str, str]) -> list[str]:
    """Where Python looks for modules first."""
    return env[PATHS].split(os.pathsep) if env.get(PATHS) else []


def seen(env: Mapping[str, str], read: Container[str]) -> frozenset[tuple[str, str]]:
    """What imports see of an environment that look up these variables."""
    return frozenset(
        (name, value) for name, value in env.items() if name in read or name.startswith(AT_START)
    )


def sockets(place: Path, kind: str) -> Iterator[Path]:
    """Where warm processes of a kind are, or have been."""
    return place.glob(f"{kind}-*.socket")


def suiting(place: Path, kind: str, env: Mapping[str, str]) -> WarmProcess | None:
    """A warm process of a kind for an environment, whoever has started it; None if there is none."""
    for path in sockets(place, kind):
        found = WarmProcess.at(path)
        if found is not None:
            if found.suits(env):
                return found
            found.close()
    return None


class Subprocess:
    """Stands for the module `subprocess` where servers and keepers are started: they start warm if one suits.

    `seen_of` is what a warm process has to suit of the environment of a start: all of it, if not given.
    """

    DEVNULL = subprocess.DEVNULL

    def __init__(
        self, place: Path, kind: str, seen_of: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    ) -> None:
        self._place, self._kind, self._seen_of = place, kind, seen_of

    def Popen(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        **options: Any,
    ) -> Any:
        """Start one as `subprocess.Popen` would."""
        whole = os.environ if env is None else env
        warm = suiting(self._place, self._kind, self._seen_of(whole))
        if warm is not None:
            out, err = (os.dup(options[name].fileno()) for name in ("stdout", "stderr"))
            arguments = [*dropwhile(ISOLATED.__contains__, command[1:])]
            started = _Started(warm.start(arguments, cwd or Path.cwd(), whole, out, err, pass_fds))
            warm.close()
            return started
        return subprocess.Popen(command, cwd=cwd, env=env, pass_fds=pass_fds, **options)


class _Started:
    """As much of a `subprocess.Popen` as those who start servers and keepers use."""

    def __init__(self, talk: socket.socket) -> None:
        self._talk, self._told = talk, b""
        self.pid = self._next()

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        with suppress(BlockingIOError):
            self._told += self._talk.recv(32, socket.MSG_DONTWAIT)
        return int(self._told) if self._told.endswith(b"\n") else None

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        return self._next()

    def _next(self) -> int:
        """The next number that is told."""
        while b"\n" not in self._told:
            part = self._talk.recv(32)
            if not part:
                raise ConnectionError("The warm process has ended before what it started.")
            self._told += part
        number, _, self._told = self._told.partition(b"\n")
        return int(number)
