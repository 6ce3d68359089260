"""What a warm process does: `python warm_process.py KIND LISTENER PLACE VARIABLES`, see warm.py.

It imports what its kind does, tells whoever connects to its socket what that depended on, and forks for each
call. It ends when nobody is connected any more, and all that it has forked has ended.

Where it is itself a fork of a warm process, `VARIABLES` are those that the imports there have looked up.
"""

from __future__ import annotations

import builtins
import fcntl
import gc
import importlib
import inspect
import json
import os
import pkgutil
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.machinery import BuiltinImporter, SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NoReturn

from warm_children import start_children_warm
from warm_choice import COMMAND
from warm_sockets import ENDS, LIBRARIES, PATHS, Subprocess, paths, seen

KINDS = {
    "metaflow": ["metaflow", "metaflow.client.core"],
    "hera": ["metaflow", "hera.workflows", "metaflow_hera.*"],
    LIBRARIES: ["asyncio", "hera.workflows", "requests", "yaml"],
    "server": ["anyio._backends._asyncio", "argparse", "h11", "metaflow_hera.embedded.*"],
    "keeper": ["metaflow_hera.embedded.pods.keeper", "asyncio", "requests", "tarfile", "yaml"],
}
"""What each kind imports; `*` is all that is below and may be needed. The libraries are those of Metaflow and
of the command: they take most of its start, and look up hardly a variable. A server imports its part of anyio
when it is first asked. The processes from which pods are forked are themselves forks of their keeper, which
has Metaflow's libraries for them."""
OF_ITS_COMMANDS = ("metaflow.lint", "metaflow.runtime", "metaflow.system", "metaflow.task")
"""What Metaflow imports with its command line, whatever the flow."""
MODELS = (
    *("Workflow", "WorkflowSpec", "WorkflowTemplate", "DAGTask", "CronWorkflow", "CronWorkflowSpec"),
    *("WorkflowTemplateCreateRequest", "WorkflowTemplateUpdateRequest", "CreateCronWorkflowRequest"),
)
"""Hera's models whose validators the command would build when it first uses them."""
CALLS = {"metaflow", "hera", LIBRARIES}
"""The kinds from which calls of the tests are forked. What these start as `python ...` starts warm too."""
NOT_BEFORE = {
    "hera": (
        "metaflow_hera.embedded",
        "metaflow_hera.runtime",
        "metaflow_hera.metaflow_api.pod.commands",  # Metaflow's command line
        COMMAND,
    ),
    "server": ("metaflow_hera.embedded.server", "metaflow_hera.embedded.pods.warm_process"),
}
"""What runs in processes of its own, and what runs as `__main__`."""
OF_A_FLOW = ("metaflow.cli", "metaflow.cli_components", "metaflow.runner.click_api")
"""What Metaflow makes of the options of the flow that is loaded when they are imported."""
LAUNCH = "metaflow_hera.embedded.local.launch"
KEEPER_CLIENT = "metaflow_hera.embedded.pods.keeper_client"
WARM_PODS = "metaflow_hera.embedded.pods.warm"
HIGHEST = 1 << 12
"""No process of the tests has a descriptor above."""
UNSUITABLE = 3
"""The exit code of a warm process that must not be used."""


class _Noting(os._Environ):  # type: ignore[type-arg]
    """`os.environ` that notes which variables are looked up, whether they are there or not."""

    noted: set[str]

    def __getitem__(self, name: Any) -> Any:
        self.noted.add(name)
        return super().__getitem__(name)


def serve(kind: str, listener: socket.socket, place: Path, looked_up: Sequence[str]) -> None:
    """Import, tell what that depended on, and fork for each call, until nobody is connected."""
    del sys.path[0]  # the folder of this script
    for ours in ("warm_children", "warm_choice", "warm_sockets"):
        del sys.modules[ours]
    _make_main()  # of the calls, before the imports: Metaflow's leave a class in it
    importlib.import_module("croniter")  # asks the system for its architecture: a child with all variables
    _Noting.noted = {*looked_up}
    before = dict(os.environ)
    os.environ.__class__ = _Noting  # type: ignore[assignment]
    gc.disable()  # what is imported stays
    for name in _modules(kind):
        importlib.import_module(name)
    _build_ahead(kind)
    os.environ.__class__ = os._Environ
    _must(before == dict(os.environ), "An import has set a variable.")
    _must(not sys.modules.keys() & {*OF_A_FLOW}, f"{OF_A_FLOW} must not be imported without a flow.")
    _must(threading.active_count() == 1, "An import has started a thread.")
    modules = sorted({name.split(".")[0] for name in sys.modules} - {"__main__"})
    _start_others_warm(kind, place, before)
    if kind in CALLS and not hasattr(subprocess.Popen.__init__, "__wrapped__"):  # by what this is a fork of
        start_children_warm(place)
    about = {"kind": kind, "variables": sorted(_Noting.noted), "modules": modules, "env": before}
    gc.freeze()  # or the first collection after a fork would copy everything
    gc.enable()
    _answer(listener, json.dumps(about).encode() + b"\n")


def _make_main() -> None:
    """A `__main__` as it is before anything runs."""
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=builtins, __loader__=BuiltinImporter)


def _build_ahead(kind: str) -> None:
    """Import and build what each call would, whatever the flow. Ends if there is no such thing any more."""
    if kind not in ("metaflow", "hera"):
        return
    try:
        for name in OF_ITS_COMMANDS:
            importlib.import_module(name)
        inspect.getsource(_build_ahead)  # compiles the expressions by which it finds the source of each step
        if kind == "hera":
            models = importlib.import_module("hera.workflows.models")
            for name in MODELS:
                getattr(models, name).model_rebuild()
            importlib.import_module("metaflow_hera.translation.container_templates").bootstrap("local")
    except (ImportError, AttributeError) as error:
        _must(False, f"It cannot be built ahead: {error}")


def _start_others_warm(kind: str, place: Path, env: Mapping[str, str]) -> None:
    """Servers, keepers, and the processes from which these have pods forked."""
    if LAUNCH in sys.modules:
        sys.modules[LAUNCH].subprocess = Subprocess(place, "server")  # type: ignore[attr-defined]
    if KEEPER_CLIENT in sys.modules:
        of_a_pod = importlib.import_module("metaflow_hera.embedded.pods.containers").base_environment
        sys.modules[KEEPER_CLIENT].subprocess = Subprocess(place, "keeper", of_a_pod)  # type: ignore[attr-defined]
    if kind == "keeper":
        pods = sys.modules[WARM_PODS]
        pods.spawn = partial(_spawn_warm, pods.spawn, env, list(sys.path))  # type: ignore[attr-defined]


def _spawn_warm(
    spawn: Callable[..., int],
    before: Mapping[str, str],
    path: list[str],
    command: Sequence[str],
    env: Mapping[str, str],
    log: int,
) -> int:
    """Start a process from which pods are forked, as a fork of its keeper if that makes no difference."""
    if command[0] != sys.executable or seen(env, _Noting.noted) != seen(before, _Noting.noted):
        return spawn(command, env, log)
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # The code package has its own.
        for name in [name for name in sys.modules if name.split(".")[0] == "metaflow_hera"]:
            del sys.modules[name]
        sys.path[:] = path
        _make_main()
        passed = int(command[3])
        _become([*command[1:]], "/", env, os.dup(log), os.dup(log), {passed: passed})
    except BaseException as error:  # or there would be two keepers
        print(repr(error), file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def _modules(kind: str) -> Iterator[str]:
    """What a kind imports."""
    for name in KINDS[kind]:
        package, _, _ = name.partition(".*")
        yield package
        if name != package:
            for found in pkgutil.walk_packages(sys.modules[package].__path__, f"{package}."):
                if not found.name.startswith(NOT_BEFORE[kind]):
                    yield found.name


def _answer(listener: socket.socket, about: bytes) -> None:
    """Tell everyone who connects, fork for each call of theirs, and tell how that process ends.

    A call that is asked for with `ENDS` ends with the connection.
    """
    connected: set[socket.socket] = set()
    running: dict[int, tuple[int, int]] = {}  # by what tells the end of a process: its id, and who asked
    tied: dict[object, int] = {}  # by connection: the call that ends with it
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    tied = {user: ending for user, ending in tied.items() if ending != key.fd}
                    _tell_the_end(key.fd, *running.pop(key.fd))
                elif key.fileobj is listener:
                    user, _ = listener.accept()
                    with suppress(OSError):  # it has gone already
                        user.sendall(about)
                    selector.register(user, selectors.EVENT_READ)
                    connected.add(user)
                else:
                    given: list[int] = []
                    with suppress(ConnectionError):
                        how, given, _, _ = socket.recv_fds(key.fileobj, 1, 8)  # type: ignore[arg-type]
                    if given:
                        ending, process = _fork(*given)
                        running[ending] = process
                        selector.register(ending, selectors.EVENT_READ)
                        if how == ENDS:
                            tied[key.fileobj] = ending
                        continue
                    if key.fileobj in tied:
                        pid, _ = running[tied.pop(key.fileobj)]
                        with suppress(ProcessLookupError):
                            os.killpg(pid, signal.SIGKILL)
                        os.kill(pid, signal.SIGKILL)  # which may have no group of its own yet
                    selector.unregister(key.fileobj)
                    connected.remove(key.fileobj)  # type: ignore[arg-type]
                    key.fileobj.close()  # type: ignore[union-attr]
            if not connected and not running:
                return


def _fork(answer: int, out: int, err: int, *passed: int) -> tuple[int, tuple[int, int]]:
    """Start a call. Returns what becomes readable when its process ends, and its id with who asked for it."""
    pid = os.fork()
    if pid == 0:
        with open(answer, "rb", closefd=False) as request:
            arguments, folder, env, numbers = json.loads(request.readline())
        _become(arguments, folder, env, out, err, dict(zip(passed, numbers, strict=True)))
    for each in (out, err, *passed):
        os.close(each)
    with suppress(OSError):
        os.write(answer, b"%d\n" % pid)
    return os.pidfd_open(pid), (pid, answer)


def _tell_the_end(ending: int, pid: int, answer: int) -> None:
    """Tell the exit code of a process that has ended."""
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):  # who has started a server may have ended before it
        os.write(answer, b"%d\n" % os.waitstatus_to_exitcode(status))
    os.close(answer)
    os.close(ending)


def _must(holds: bool, message: str) -> None:
    """End unless something holds without which nothing may be forked from this process."""
    if not holds:
        print(message, file=sys.stderr)
        sys.exit(UNSUITABLE)


def _become(
    arguments: list[str],
    folder: str,
    env: Mapping[str, str],
    out: int,
    err: int,
    passed: Mapping[int, int],
) -> NoReturn:
    """Turn into the process that was asked for, and end. It has what is passed under other numbers."""
    os.setsid()
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    above = min(max([HIGHEST, *passed.values()]) + 1, most - len(passed))
    aside = {fcntl.fcntl(each, fcntl.F_DUPFD, above): number for each, number in passed.items()}
    for number, to in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(to, number)
    os.closerange(3, above)
    for each, number in aside.items():
        os.dup2(each, number)
        os.close(each)
    os.chdir(folder)
    if PATHS not in os.environ:  # otherwise it is the same for all calls
        first = dict.fromkeys(map(os.path.abspath, paths(env)))
        sys.path[:] = [*first, *(each for each in sys.path if each not in first)]
    os.environ.clear()
    os.environ.update(env)
    _tell_metaflow_the_folder()
    sys.orig_argv = [sys.executable, *arguments]
    _end(_run(arguments))


def _tell_metaflow_the_folder() -> None:
    """The one value of Metaflow's configuration that comes from the current folder."""
    if "metaflow" not in sys.modules:
        return
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
    serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])), Path(sys.argv[3]), sys.argv[4:])
