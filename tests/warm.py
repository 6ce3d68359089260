"""Python processes that start warm: forked from one that has Metaflow, and Hera where it is wanted, imported.

`call` runs `python ARGUMENTS` as `subprocess.run` would, and answers the same. What it guarantees:

- The process has exactly the arguments, folder and environment of the call, /dev/null as stdin, a
  session of its own, default signals, and no open files but 0, 1 and 2. `__main__`, `sys.argv` and
  `sys.path` are what a fresh interpreter makes of `-m MODULE`, `-c CODE` or a script. How it ends
  (exit codes, uncaught errors, atexit, threads that are waited for) is the same too.
- What was imported before the fork is what a fresh process would have imported. The warm process notes
  each variable that its imports look up: only a call whose environment has the same values there is
  forked from it, any other gets a warm process of its own. Where that is not worth it, or Metaflow would
  find a configuration file, a call is forked from a process that has only libraries imported. Either way it
  starts cold where Python would find a module in the folder, or on the call's PYTHONPATH, with the name of
  one that is already imported.
- What the process starts as `python ...` starts warm by the same rules, where there is a warm process for it
  (warm_children.py). So do servers of the embedded Argo, their keepers of pods, and the processes from which
  these have pods forked: the first two are forked from warm processes of their own kinds, the last are forks
  of their keeper. Whatever a pod starts, starts cold.

What differs: a call has a session of its own, and the umask, limits and ignored signals of the warm process,
also where a forked process starts it. Then `Popen.pid` is that of a stand-in, which has no children and
passes on SIGINT, SIGTERM and SIGHUP; if it is killed, the call and its children are. More modules are in
`sys.modules`, in a pod those of Metaflow's libraries; the garbage collector does not look at what they hold;
the order of a set of strings is the same in all calls; at the end the interpreter empties `__main__` alone.
Tests that are about these things start cold, see `Mfhera.cold`.

Off Linux every process starts cold: libraries of macOS do not survive a fork.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from warm_choice import choose, is_of_the_command
from warm_process import UNSUITABLE
from warm_sockets import LIBRARIES, PATHS, Subprocess, WarmProcess, paths, suiting

FORKS = sys.platform == "linux"
PROCESS = Path(__file__).with_name("warm_process.py")
KEPT = 4
"""How many warm processes of a kind a worker keeps, for as many environments."""
WORTH = 3
"""At which call in an environment a process for it is started: its start takes as long as two cold calls."""
OF_A_TASK = {"PYTHONUNBUFFERED": "x"}
"""The variable that Metaflow's own `run` adds for its tasks, and that the interpreter reads at its start."""
SECONDS = 60.0
"""A bound for the end of a warm process that could not be used."""
_Ends = Callable[[float], subprocess.CompletedProcess[str]]
"""Waits for the end of what was started, so many seconds at most; what it wrote and how it ended."""
SHARED = "WARM_PROCESSES"
"""The variable by which workers learn where the sockets of the warm processes are."""
_shared = os.environ.pop(SHARED, "")
PLACE = Path(_shared or tempfile.mkdtemp(prefix="warm-"))
"""The folder of the sockets."""


def call(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS`, warm where that makes no difference.

    Raises:
        subprocess.TimeoutExpired: After `timeout` seconds. The process is killed, with its session.
    """
    with _choosing:
        warm = _chosen(arguments, folder, env)
        ends = warm and _forked(warm, arguments, folder, env)
    return ends(timeout) if ends else call_cold(arguments, folder, env, timeout)


def call_cold(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """The same with an interpreter of its own."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            _kill(process.pid)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], out: int, err: int
) -> socket.socket | None:
    """Start a call warm that writes to two descriptors, which are closed here.

    Returns a socket that tells its process id and, at the end, its exit code, a line each; None where only a
    cold start is the same, and nothing was done.
    """
    with _choosing:
        warm = _chosen(arguments, folder, env)
        return warm and warm.start(arguments, folder, env, out, err)


@contextmanager
def servers() -> Iterator[None]:
    """Meanwhile the servers that `launch.start` starts in this process start warm."""
    from metaflow_hera.embedded.local import launch

    if FORKS:
        with _choosing:
            _get_ready_for_a_server(os.environ)
        launch.subprocess = Subprocess(PLACE, "server")  # type: ignore[assignment]
    try:
        yield
    finally:
        launch.subprocess = subprocess


_choosing = threading.Lock()
_kept: dict[str, list[WarmProcess]] = {}
_unusable: set[tuple[str, frozenset[tuple[str, str]]]] = set()
"""Where the modules cannot be imported at all: a kind, and an environment."""
_started_here: list[_Ends] = []
"""The warm processes that this worker has started. They end with the last of their users."""
_calls: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
"""How many calls there were that no process suited, by what their imports would have seen."""


def _chosen(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> WarmProcess | None:
    """The warm process for a call; None where only a cold start is the same."""
    if not FORKS:
        return None
    if is_of_the_command(arguments):
        _get_ready_for_a_server(env)
    found = choose(arguments, folder, env, _suiting)
    if found is not None and not is_of_the_command(arguments) and {"run", "resume"} & {*arguments}:
        _suiting(found.kind, {**env, **OF_A_TASK}, worth=1)  # for the tasks that Metaflow itself starts
    return found


def _get_ready_for_a_server(env: Mapping[str, str]) -> None:
    """Have warm processes for the server that a call with this environment may start, and for its keeper."""
    from metaflow_hera.embedded.pods.containers import base_environment

    server = _of_a_server(env)
    _suiting("server", server)
    _suiting("keeper", base_environment(server))


def _of_a_server(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of the server that a call with this one starts, see `launch.start`."""
    package = str(Path(__file__).resolve().parents[1])
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, [package, env.get("PYTHONPATH")]))}


def _suiting(kind: str, env: Mapping[str, str], worth: int = WORTH) -> WarmProcess | None:
    """The warm process for an environment; it is started for the first one, and where it is worth it."""
    kept = _kept.setdefault(kind, [])
    found = next((each for each in kept if each.suits(env)), None)
    if found is not None:
        kept.remove(found)
    else:
        with open(PLACE / f"{kind}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may just start it
            found = suiting(PLACE, kind, env) or _started(kind, env, worth)
        if found is None:
            return None
    kept.insert(0, found)
    for oldest in kept[KEPT:]:
        oldest.close()
        kept.remove(oldest)
    return found


def _started(kind: str, env: Mapping[str, str], worth: int) -> WarmProcess | None:
    """One of its own, where that is worth it and the modules can be imported at all."""
    ours = _kept[kind]
    whole = frozenset(env.items())
    if (kind, whole) in _unusable:
        return None
    if ours:
        seen = (kind, ours[0].seen(env))
        _calls[seen] += 1
        if _calls[seen] < worth:
            return None
    path = PLACE / f"{kind}-{os.getpid()}-{time.monotonic_ns()}.socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        ends = _begin(kind, env, listener.fileno())
    _started_here.append(ends)
    found = WarmProcess.at(path)
    if found is None:
        path.unlink()
        done = ends(SECONDS)
        if done.returncode == UNSUITABLE:  # or the tests would be slow in silence
            raise AssertionError(done.stderr)
        _unusable.add((kind, whole))
    return found


def _begin(kind: str, env: Mapping[str, str], listener: int) -> _Ends:
    """Start a warm process; the command's is a fork of the one with the libraries, which take longest."""
    arguments = [str(PROCESS), kind, str(listener), str(PLACE)]
    libraries = _suiting(LIBRARIES, env) if kind == "hera" and not paths(env) else None
    if kind == LIBRARIES:
        env = {name: value for name, value in env.items() if name != PATHS}
    if libraries is not None:
        return _forked(libraries, [*arguments, *libraries.variables], Path("/"), env, [listener])
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd="/",
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # as the calls have it: files on them know whether they can seek
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[listener],
        start_new_session=True,
    )

    def ends(timeout: float) -> subprocess.CompletedProcess[str]:
        texts = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, *texts)

    return ends


def _forked(
    warm: WarmProcess,
    arguments: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    passed: Sequence[int] = (),
) -> _Ends:
    """Start a call that is forked from a warm process."""
    out, err = os.pipe(), os.pipe()
    talk = warm.start(arguments, folder, env, out[1], err[1], passed)
    return partial(_wait, talk, out[0], err[0], [sys.executable, *arguments])


def _wait(
    talk: socket.socket, out: int, err: int, command: list[str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What a call wrote and how it ended. Its socket tells its process id and, at the end, its exit code."""
    with talk, open(out, "rb"), open(err, "rb"):
        answers = talk.makefile("rb")
        pid = int(answers.readline())
        try:
            texts = _read_all([out, err], timeout)
            talk.settimeout(timeout)
            code = int(answers.readline())
        except TimeoutError:
            _kill(pid)
            raise subprocess.TimeoutExpired(command, timeout) from None
        except BaseException:
            _kill(pid)
            raise
    return subprocess.CompletedProcess(command, code, *texts)


def _read_all(pipes: Sequence[int], timeout: float) -> list[str]:
    """What comes through several pipes until all of them are closed."""
    end = time.monotonic() + timeout
    read: dict[int, bytes] = dict.fromkeys(pipes, b"")
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(end - time.monotonic())
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                read[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
    return [text.decode().replace("\r\n", "\n").replace("\r", "\n") for text in read.values()]


def _kill(session: int) -> None:
    """End a call and all that is still in its session."""
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


@atexit.register
def _tidy_up(maker: int = 0 if _shared else os.getpid()) -> None:
    """Whoever has made the folder of the sockets removes it."""
    if os.getpid() == maker:
        shutil.rmtree(PLACE, ignore_errors=True)
