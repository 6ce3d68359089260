"""Python processes that start warm: forked from one that has Metaflow, and Hera where it is wanted, imported.

`call` runs `python ARGUMENTS` as `subprocess.run` would, and answers the same. What it guarantees:

- The process has exactly the arguments, folder and environment of the call, /dev/null as stdin, a
  session of its own, default signals, and no open files but 0, 1 and 2. `__main__`, `sys.argv` and
  `sys.path` are what a fresh interpreter makes of `-m MODULE`, `-c CODE` or a script. How it ends
  (exit codes, uncaught errors, atexit, threads that are waited for) is the same too.
- What was imported before the fork is what a fresh process would have imported. The warm process notes
  each variable that its imports look up: only a call whose environment has the same values there is
  forked from it, any other gets a warm process of its own. A call starts cold where Metaflow would find
  a configuration file, or Python a module in the folder by the name of one that is already imported.
- Whatever the process starts itself starts cold.

What differs: more modules are in `sys.modules`, and the garbage collector does not look at what they
hold; the order of a set of strings is the same in all calls; at the end the interpreter empties `__main__`
alone. Tests that are about these things start cold, see `Mfhera.cold`.

Off Linux every process starts cold: libraries of macOS do not survive a fork.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, SourceFileLoader, all_suffixes
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NoReturn

FORKS = sys.platform == "linux"
COMMAND = "metaflow_hera.cli.main"
INSTALLED = str(Path(sys.executable).with_name("mfhera"))
"""The script that stands for the command in a shell."""
KINDS = {
    "metaflow": ["metaflow", "metaflow.client.core"],
    "hera": ["metaflow", "hera.workflows", "metaflow_hera"],
}
"""What each kind of warm process imports; of metaflow_hera all that the command may need."""
OF_A_FLOW = ("metaflow.cli", "metaflow.cli_components", "metaflow.runner.click_api")
"""What Metaflow makes of the options of the flow that is loaded when they are imported."""
NOT_BEFORE = (
    "metaflow_hera.embedded",
    "metaflow_hera.runtime",
    "metaflow_hera.metaflow_api.pod.commands",  # Metaflow's command line
    COMMAND,
)
"""What runs in processes of its own, and what runs as `__main__`."""
AT_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "DYLD_", "MALLOC_", "OPENSSL_", "SSL_")
"""What the interpreter and its libraries read beside `os.environ`."""
PLACES = {"HOME", "METAFLOW_HOME"}
"""Looked up only to find Metaflow's configuration file: a call starts cold where there is one."""
MODULES = tuple(all_suffixes())
UNSUITABLE = 3
"""The exit code of a warm process that must not be used."""
KEPT = 4
"""How many warm processes of a kind are kept, for as many environments."""
WORTH = 3
"""At which call in an environment a process for it is started: its start takes as long as two cold calls."""


def call(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS`, warm where that makes no difference.

    Raises:
        subprocess.TimeoutExpired: After `timeout` seconds. The process is killed, with its session.
    """
    with _choosing:
        forked = _fork(arguments, folder, env)
    return forked.wait(arguments, timeout) if forked else call_cold(arguments, folder, env, timeout)


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


_choosing = threading.Lock()
_kept: dict[str, list[_Warm]] = {}
_calls: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
"""How many calls there were that no process suited, by what their imports would have seen."""


def _fork(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> _Forked | None:
    """Start a call warm; None where only a cold start is the same."""
    warm = _chosen(arguments, folder, env)
    return warm and warm.fork(arguments, folder, env)


def _chosen(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> _Warm | None:
    """The warm process for a call; None where only a cold start is the same."""
    is_script = arguments[0] not in ("-c", "-m")
    if not FORKS or _is_configured(folder, env):
        return None
    if arguments[0] == "-m" and arguments[1] != COMMAND:
        return None
    needs = "hera" in arguments or (
        any(COMMAND.split(".")[0] in each for each in arguments[:2]) and not is_script
    )
    warm = _suiting("hera" if needs or arguments[0] == INSTALLED else "metaflow", env)
    folders = {(folder / each).parent for each in arguments if os.path.isfile(folder / each)}
    if not is_script:
        folders.add(folder)
    if warm is None or not warm.works or any(warm.modules & _importable(each) for each in folders):
        return None
    return warm


def _importable(folder: Path) -> set[str]:
    """The names of the modules in a folder. A folder without `__init__.py` hides no module."""
    return {
        each.name.split(".")[0]
        for each in folder.iterdir()
        if (not each.is_dir() and each.name.endswith(MODULES))
        or (each / "__init__.py").exists()
        or each.name == "metaflow_extensions"
    }


def _is_configured(folder: Path, env: Mapping[str, str]) -> bool:
    """Whether Metaflow's configuration comes from files too: see metaflow_config_funcs.py."""
    local = next((each for each in (folder, *folder.parents) if (each / ".metaflow").is_dir()), None)
    home = env.get("METAFLOW_HOME", "~/.metaflowconfig")
    if home.startswith("~"):
        home = f"{env['HOME']}{home[1:]}" if "HOME" in env else ""
    return (
        "METAFLOW_PROFILE" in env
        or not home
        or (folder / home / "config.json").exists()
        or (local is not None and (local / ".metaflow" / "config.json").exists())
    )


def _suiting(kind: str, env: Mapping[str, str]) -> _Warm | None:
    """The warm process for an environment; it is started for the first one, and where it is worth it."""
    kept = _kept.setdefault(kind, [])
    found = next((each for each in kept if each.suits(env)), None)
    if found is None:
        if kept:
            seen = (kind, kept[0].seen(env))
            _calls[seen] += 1
            if _calls[seen] < WORTH:
                return None
        found = _Warm(kind, env)
    else:
        kept.remove(found)
    kept.insert(0, found)
    for oldest in kept[KEPT:]:
        oldest.close()
        kept.remove(oldest)
    return found


class _Warm:
    """A warm process as its user has it. It ends when this end of its socket is closed."""

    def __init__(self, kind: str, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, kind, str(theirs.fileno())],
                cwd="/",
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # as the calls have it: files on them know whether they can seek
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        with self._control.makefile("rb") as answers:
            told = json.loads(answers.readline() or "null")
        if told is None and self._process.wait() == UNSUITABLE:  # or the tests would be slow in silence
            raise AssertionError(self._process.communicate()[1].decode())
        self.works = told is not None
        """Whether the modules could be imported at all."""
        self._read = {*told["variables"]} - PLACES if told else {*env}
        self.modules: set[str] = {*told["modules"]} if told else set()
        """The names of imported modules, up to the first dot."""

    def suits(self, env: Mapping[str, str]) -> bool:
        """Whether the imports would have seen the same in this environment."""
        return self.seen(self._env) == self.seen(env)

    def seen(self, env: Mapping[str, str]) -> frozenset[tuple[str, str]]:
        """What the imports see of an environment."""
        return frozenset(
            (name, value) for name, value in env.items() if name in self._read or name.startswith(AT_START)
        )

    def fork(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> _Forked:
        """Start a call."""
        out, err = os.pipe(), os.pipe()
        ours = self.start(arguments, folder, env, out[1], err[1])
        return _Forked(ours, out[0], err[0])

    def start(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], out: int, err: int
    ) -> socket.socket:
        """Start a call that writes to two descriptors, which are closed here. Returns what tells of it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"!"], [theirs.fileno(), out, err])
        os.close(out)
        os.close(err)
        ours.sendall(json.dumps([list(arguments), str(folder), dict(env)]).encode() + b"\n")
        return ours

    def close(self) -> None:
        """End it. Calls that it has forked go on."""
        self._control.close()
        self._process.wait()


@dataclass
class _Forked:
    """A call under way: the socket tells its process id and, at the end, its exit code."""

    socket: socket.socket
    out: int
    err: int

    def wait(self, arguments: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """What it wrote and how it ended."""
        command = [sys.executable, *arguments]
        with self.socket, open(self.out, "rb") as out, open(self.err, "rb") as err:
            answers = self.socket.makefile("rb")
            pid = int(answers.readline())
            try:
                texts = _read_all([out.fileno(), err.fileno()], timeout)
                self.socket.settimeout(timeout)
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


class _Noting(os._Environ):  # type: ignore[type-arg]
    """`os.environ` that notes which variables are looked up, whether they are there or not."""

    noted: set[str]

    def __getitem__(self, name: Any) -> Any:
        self.noted.add(name)
        return super().__getitem__(name)


def serve(kind: str, control: socket.socket) -> None:
    """What a warm process does: import, tell what that depended on, and fork for each call."""
    del sys.path[0]  # the folder of this script
    # The one of the calls, before the imports: Metaflow's leave a class in it.
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=builtins, __loader__=BuiltinImporter)
    importlib.import_module("croniter")  # asks the system for its architecture: a child with all variables
    _Noting.noted = set()
    before = dict(os.environ)
    os.environ.__class__ = _Noting  # type: ignore[assignment]
    for name in KINDS[kind]:
        package = importlib.import_module(name)
        if name == COMMAND.split(".")[0]:
            for found in pkgutil.walk_packages(package.__path__, f"{name}."):
                if not found.name.startswith(NOT_BEFORE):
                    importlib.import_module(found.name)
    os.environ.__class__ = os._Environ
    _must(before == dict(os.environ), "An import has set a variable.")
    _must(not sys.modules.keys() & {*OF_A_FLOW}, f"{OF_A_FLOW} must not be imported without a flow.")
    _must(threading.active_count() == 1, "An import has started a thread.")
    modules = sorted({name.split(".")[0] for name in sys.modules} - {"__main__"})
    control.sendall(json.dumps({"variables": sorted(_Noting.noted), "modules": modules}).encode() + b"\n")
    gc.collect()
    gc.freeze()  # or the first collection after a fork would copy everything
    while True:
        _, given, _, _ = socket.recv_fds(control, 1, 3)
        if not given:
            return
        if os.fork() == 0:
            control.close()
            _follow(*given)
        for each in given:
            os.close(each)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _must(holds: bool, message: str) -> None:
    """End unless something holds without which nothing may be forked from this process."""
    if not holds:
        print(message, file=sys.stderr)
        sys.exit(UNSUITABLE)


def _follow(answer: int, out: int, err: int) -> NoReturn:
    """Fork once more, and tell how that process ends."""
    with open(answer, "rb", closefd=False) as request:
        arguments, folder, env = json.loads(request.readline())
    pid = os.fork()
    if pid == 0:
        _become(arguments, folder, env, out, err)
    os.close(out)
    os.close(err)
    os.write(answer, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(answer, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(arguments: list[str], folder: str, env: dict[str, str], out: int, err: int) -> NoReturn:
    """Turn into the process that was asked for, and end."""
    os.setsid()
    for number, to in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(to, number)
    os.closerange(3, 256)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    _tell_metaflow_the_folder()
    sys.orig_argv = [sys.executable, *arguments]
    _end(_run(arguments))


def _tell_metaflow_the_folder() -> None:
    """The one value of Metaflow's configuration that comes from the current folder."""
    from metaflow import metaflow_config, metaflow_config_funcs

    name = "METAFLOW_ARTIFACT_LOCALROOT"
    if name not in os.environ:
        metaflow_config.ARTIFACT_LOCALROOT = folder = os.getcwd()
        configs = metaflow_config_funcs._all_configs
        configs[name] = configs[name]._replace(value=folder)


def _run(arguments: list[str]) -> int:
    """Run it as `__main__`, as Python's own start does; the exit code."""
    main = sys.modules["__main__"]
    try:
        if arguments[0] == "-m":
            import runpy

            sys.argv = ["-m", *arguments[2:]]
            sys.path.insert(0, os.getcwd())
            runpy._run_module_as_main(arguments[1])  # type: ignore[attr-defined]
        elif arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            sys.path.insert(0, "")
            exec(compile(arguments[1], "<string>", "exec", dont_inherit=True), main.__dict__)
        else:
            sys.argv = arguments
            sys.path.insert(0, os.path.dirname(os.path.realpath(arguments[0])))
            path = os.path.abspath(arguments[0])
            main.__dict__.update(__file__=path, __cached__=None)
            main.__loader__ = SourceFileLoader("__main__", path)
            with open(path, "rb") as script:
                code = compile(script.read(), path, "exec", dont_inherit=True)
            exec(code, main.__dict__)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        print(error.code, file=sys.stderr)
        return 1
    except BaseException as error:
        error.__traceback__ = _below(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _below(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this file."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def _end(code: int) -> NoReturn:
    """End as the interpreter does, but for taking apart what was imported."""
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
