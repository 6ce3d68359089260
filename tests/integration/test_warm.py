"""A process that was forked from a warm one is what a cold start would have made of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import pytest
import warm
from harness import EXAMPLES, TESTS, Mfhera
from warm_sockets import sockets

from metaflow_hera.cli.main import VERBS
from metaflow_hera.embedded.local import launch

pytestmark = pytest.mark.skipif(not warm.FORKS, reason="here every process starts cold")

ABOUT_ITSELF = """
import gc, json, logging, os, random, signal, sys, threading, warnings
import metaflow
from metaflow import metaflow_config, metaflow_config_funcs
main = sys.modules["__main__"]
print(json.dumps({
    "arguments": [sys.argv, sys.orig_argv],
    "path": sys.path,
    "flags": repr(sys.flags),
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "main": sorted((name, repr(value)) for name, value in vars(main).items()),
    "files": sorted(os.listdir("/dev/fd")),
    "stdin": os.readlink("/dev/fd/0"),
    "streams": [repr(each) for each in (sys.stdin, sys.stdout, sys.stderr)],
    "buffers": [
        (each.line_buffering, each.write_through, each.errors, each.seekable())
        for each in (sys.stdout, sys.stderr)
    ],
    "own session": [os.getpid() == os.getsid(0), os.getpid() == os.getpgid(0), os.getppid() > 1],
    "signals": [(each.name, repr(signal.getsignal(each))) for each in signal.Signals],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "threads": [each.name for each in threading.enumerate()],
    "logging": [logging.root.level, repr(logging.root.handlers)],
    "gc": [gc.isenabled(), gc.get_threshold()],
    "warnings": len(warnings.filters),
    "limits": [sys.getrecursionlimit(), os.umask(0o22)],
    "hooks": [repr(sys.excepthook), repr(sys.gettrace()), len(sys.path_hooks)],
    "configuration": {k: repr(v) for k, v in vars(metaflow_config).items() if k.isupper()},
    "configured": sorted(metaflow_config_funcs.config_values(include=3), key=str),
    "extensions": [name for name in sys.modules if name.startswith("metaflow_extensions.")],
}))
"""


def about_itself(done: CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    about: dict[str, object] = json.loads(re.sub(" at 0x[0-9a-f]+", "", done.stdout))
    return about


ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "that of the tests": {},
    "nothing known": {"LANG": "C.UTF-8", "SOMETHING": "else", "ARGO_SERVER": "localhost:1"},
    "another language": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "values of Metaflow": {
        "METAFLOW_USER": "another",
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/folder",
        "METAFLOW_KUBERNETES_LABELS": "a=b",
        "METAFLOW_S3_WORKER_COUNT": "3",
        "METAFLOW_ARTIFACT_LOCALROOT": "/tmp",
    },
    "a path": {"PYTHONPATH": "below::/nonexistent:below"},
    "no home": {"HOME": None, "METAFLOW_HOME": None},
    "python's own": {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": "/nonexistent"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_it_is_what_a_cold_start_makes(mfhera: Mfhera, name: str) -> None:
    code = ["-c", ABOUT_ITSELF, "an argument", ""]
    for _ in range(2):  # the second one surely with modules that the first call had imported
        warmed = about_itself(mfhera.python(*code, env=ENVIRONMENTS[name]))
        assert warmed == about_itself(mfhera.cold.python(*code, env=ENVIRONMENTS[name]))


@pytest.mark.parametrize("script", ["about_itself.py", "below/about_itself.py", "{folder}/about_itself.py"])
def test_a_script_too(mfhera: Mfhera, script: str) -> None:
    for folder in (mfhera.folder, mfhera.at(mfhera.folder / "below").folder):
        (folder / "about_itself.py").write_text(ABOUT_ITSELF)
    command = [script.format(folder=mfhera.folder), "--option", "x y"]
    assert about_itself(mfhera.python(*command)) == about_itself(mfhera.cold.python(*command))


def test_a_configuration_file_counts(mfhera: Mfhera) -> None:
    code = [
        "-c",
        "from metaflow.metaflow_config import KUBERNETES_NAMESPACE as n, DEFAULT_DATASTORE as d; print(n, d)",
    ]
    home, other = mfhera.folder / "home", mfhera.folder / "other"
    (home / ".metaflowconfig").mkdir(parents=True)
    file = json.dumps({"METAFLOW_KUBERNETES_NAMESPACE": "configured"})
    (home / ".metaflowconfig" / "config.json").write_text(file)
    other.mkdir()
    (other / "config_profiled.json").write_text(file)
    assert mfhera.python(*code).stdout == "default local\n"
    for env in (
        {"METAFLOW_HOME": None, "HOME": str(home)},
        {"METAFLOW_HOME": str(home / ".metaflowconfig")},
        {"METAFLOW_HOME": "home/.metaflowconfig"},
        {"METAFLOW_HOME": str(other), "METAFLOW_PROFILE": "profiled"},
    ):
        assert mfhera.python(*code, env=env).stdout == "configured local\n", env
    assert "absent" in mfhera.python(*code, env={"METAFLOW_PROFILE": "absent"}).stderr
    (mfhera.folder / "below").mkdir()
    (mfhera.folder / ".metaflow" / "config.json").write_text('{"METAFLOW_DEFAULT_DATASTORE": "s3"}')
    for folder in (mfhera.folder, mfhera.folder / "below"):
        assert replace(mfhera, folder=folder).python(*code).stdout == "default s3\n"


@pytest.fixture
def only_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that starts cold fails: or the tests would be slow in silence."""

    def start_cold(arguments: list[str], *_: object) -> None:
        raise AssertionError(f"{arguments} started cold.")

    monkeypatch.setattr(warm, "call_cold", start_cold)


IMPORTED = "import sys; print('metaflow' in sys.modules)"
BUILT = "import sys; print('metaflow.task' in sys.modules)"
WITH_THE_COMMAND = "import sys; print('metaflow_hera.operations.deployment' in sys.modules)"


@pytest.mark.usefixtures("only_warm")
def test_hardly_anything_starts_cold(mfhera: Mfhera) -> None:
    configured = mfhera.folder / "configured"
    configured.mkdir()
    (configured / "config.json").write_text("{}")
    for env in ({}, {"METAFLOW_KUBERNETES_NAMESPACE": "other"}, {"METAFLOW_HOME": str(configured)}):
        mfhera.ok("--help", env=env)
    for code in (IMPORTED, BUILT, WITH_THE_COMMAND):
        assert mfhera.python("-c", code).stdout == "True\n"
    assert mfhera.python(str(TESTS / "reading.py"), "AbsentFlow/1").returncode != 0


CHILDREN = """
import asyncio, os, signal, subprocess, sys
def child(code, *more, **options):
    command = [sys.executable, "-c", code, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    print(done.args == command, done.returncode, done.stdout, done.stderr)
child("import sys; print(sys.stdin.read(), sys.argv, file=sys.stderr)", "an argument", input="x")
child("import os; print(os.getcwd(), os.environ.get('A'), os.environ.get('B'))", cwd="/", env={"A": "1"})
child("import metaflow; print(metaflow.__version__)")
child("1 / 0")
child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
child("import json; print(json)", cwd="hiding")
try:
    subprocess.check_output([sys.executable, "script.py", "fails"], stderr=subprocess.STDOUT)
except subprocess.CalledProcessError as error:
    print(error, error.output)
async def later():
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = await asyncio.create_subprocess_exec(sys.executable, "script.py", **options)
    print(await process.communicate(), process.returncode)
asyncio.run(later())
for number in (signal.SIGTERM, signal.SIGKILL):
    process = subprocess.Popen([sys.executable, "script.py", "waits"], stdout=subprocess.PIPE, text=True)
    print(process.stdout.readline())
    process.send_signal(number)
    print(process.wait(), process.stdout.read())
"""
SCRIPT = """
import os, signal, sys, time
def tell(*_):
    os.write(1, b"told\\n")  # a print could meet the one below
    sys.exit(7)
signal.signal(signal.SIGTERM, tell)
print(sys.argv, len(sys.path), flush=True)
if "waits" in sys.argv:
    time.sleep(1000)
sys.exit("fails" in sys.argv)
"""


def test_what_it_starts_does_the_same(mfhera: Mfhera) -> None:
    (mfhera.folder / "script.py").write_text(SCRIPT)
    (mfhera.folder / "hiding").mkdir()
    (mfhera.folder / "hiding" / "json.py").write_text("")
    warmed, cold = (each.python("-c", CHILDREN) for each in (mfhera, mfhera.cold))
    assert cold.returncode == 0, cold.stderr
    assert (warmed.returncode, warmed.stdout, warmed.stderr) == (0, cold.stdout, cold.stderr)


def test_what_it_starts_is_forked_too(mfhera: Mfhera) -> None:
    """Or the tests would be slow in silence."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {IMPORTED!r}])"
    warmed, cold = (each.python("-c", code).stdout for each in (mfhera, mfhera.cold))
    assert (warmed, cold) == ("True\n", "False\n")


def test_the_tasks_of_metaflows_own_run_are_forked_too(mfhera: Mfhera) -> None:
    flow = """
import subprocess
from metaflow import FlowSpec, step

class OneFlow(FlowSpec):
    @step
    def start(self):
        print("forked:", hasattr(subprocess.Popen.__init__, "__wrapped__"))
        self.next(self.end)

    @step
    def end(self):
        pass

OneFlow()
"""
    (mfhera.folder / "one_flow.py").write_text(flow)
    done = mfhera.python("one_flow.py", "run")
    assert "forked: True" in done.stdout, done


def test_a_value_that_metaflow_cannot_read(mfhera: Mfhera) -> None:
    env = {"METAFLOW_S3_WORKER_COUNT": "many"}
    for code in ("import metaflow", "print('no Metaflow')"):
        warmed, cold = (each.python("-c", code, env=env) for each in (mfhera, mfhera.cold))
        assert (warmed.returncode, warmed.stdout, warmed.stderr) == (
            cold.returncode,
            cold.stdout,
            cold.stderr,
        )


def test_a_module_in_the_folder_goes_before(mfhera: Mfhera) -> None:
    (mfhera.folder / "json.py").write_text("print('the one of the folder')")
    assert mfhera.python("-c", "import json").stdout == "the one of the folder\n"


@pytest.mark.parametrize("name", ["json", "sitecustomize"])
@pytest.mark.parametrize("archived", [False, True])
def test_a_module_in_a_path_goes_before(mfhera: Mfhera, name: str, archived: bool) -> None:
    (mfhera.folder / "path").mkdir()
    (mfhera.folder / "path" / f"{name}.py").write_text("print('the one of the path')")
    if archived:
        shutil.make_archive(str(mfhera.folder / "archive"), "zip", mfhera.folder / "path")
    env = {"PYTHONPATH": "archive.zip" if archived else "path"}
    warmed, cold = (each.python("-c", "import json", env=env) for each in (mfhera, mfhera.cold))
    assert (warmed.stdout, warmed.stderr) == (cold.stdout, cold.stderr)
    assert warmed.stdout == "the one of the path\n"


@pytest.mark.usefixtures("only_warm")
def test_a_path_alone_starts_nothing_cold(mfhera: Mfhera) -> None:
    (mfhera.folder / "path").mkdir()
    (mfhera.folder / "path" / "own.py").write_text("print('imported')")
    assert mfhera.python("-c", "import own", env={"PYTHONPATH": "path"}).stdout == "imported\n"


@pytest.mark.parametrize(
    "code",
    [
        "print('a'); import sys; print('b', file=sys.stderr)",
        "import sys; sys.exit(3)",
        "import sys; sys.exit(300)",
        "import sys; sys.exit('a message')",
        "raise SystemExit",
        "import os; os._exit(5)",
        "1 / 0",
        "def f(): raise ValueError('x') from KeyError('y')\nf()",
        "raise KeyboardInterrupt",
        "not python",
        "import absent_module",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import atexit; atexit.register(print, 'at the end'); print('before')",
        "import threading; threading.Timer(0.2, print, ['thread']).start(); print('main')",
        "print('without an end of line', end='')",
        "import sys; sys.stdout.buffer.write(b'x\\r\\ny\\r\\xc3\\xa9'); sys.stdout.close()",
        "import logging; logging.warning('w'); logging.info('i')",
        "import warnings; warnings.warn('w')",
        "open('written', 'w').write('x'); file = open('kept', 'w'); file.write('y'); print('done')",
        "print(input())",
        "import sys; print(sys.stdin.read() == '')",
        "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(1); exit(3)']))",
        "print('x' * 300_000)",
        "from __main__ import __name__ as n; print(n); print(annotations := globals().get('annotations'))",
    ],
)
def test_it_ends_as_a_cold_one(mfhera: Mfhera, code: str) -> None:
    done = []
    for each in (mfhera.at(mfhera.folder / "warm"), mfhera.cold.at(mfhera.folder / "cold")):
        ended = each.python("-c", code)
        files = {file.name: file.read_text() for file in each.folder.iterdir() if file.is_file()}
        done.append((ended.returncode, ended.stdout, ended.stderr, files))
    assert done[0] == done[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["create", "parameter_flow.py", "--only-json"],
        ["create", "absent_flow.py"],
        ["create", "--debug", "absent_flow.py"],
        ["no-such-verb"],
        ["--version"],
        *([verb, "--help"] for verb in VERBS),
    ],
)
def test_the_command_says_the_same(mfhera: Mfhera, arguments: list[str]) -> None:
    mfhera.take(EXAMPLES / "parameter_flow.py")
    warmed, cold = mfhera(*arguments), mfhera.cold(*arguments)
    assert (warmed.returncode, warmed.stdout, warmed.stderr) == (cold.returncode, cold.stdout, cold.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ["project_flow.py", "--branch", "one", "show"],
        ["project_flow.py", "hera", "create", "--help"],
        ["types_flow.py", "run", "--help"],
        ["types_flow.py", "run", "--ratio", "high"],
        ["config_flow.py", "--config", "file", "absent.json", "run"],
        ["linear_flow.py", "--branch", "one", "run"],
    ],
)
def test_a_flow_has_its_own_options(mfhera: Mfhera, arguments: list[str]) -> None:
    mfhera.take("project_flow.py", "types_flow.py", "config_flow.py", "linear_flow.py")
    warmed, cold = mfhera.python(*arguments), mfhera.cold.python(*arguments)
    assert (warmed.returncode, warmed.stdout, warmed.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_two_calls_share_no_random_numbers(mfhera: Mfhera) -> None:
    code = "import metaflow, random, tempfile, uuid; print(random.random(), tempfile.mktemp(), uuid.uuid4())"
    first, second = (mfhera.python("-c", code).stdout.split() for _ in range(2))
    assert not set(first) & set(second)


@pytest.mark.parametrize(
    "child", [["sleep", "1000"], [sys.executable, "-c", "import time; time.sleep(1000)"]]
)
def test_the_bound_ends_it_and_what_it_has_started(mfhera: Mfhera, child: list[str]) -> None:
    code = (
        f"import os, subprocess, time; child = subprocess.Popen({child})\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}'); time.sleep(1000)"
    )
    for each in (mfhera, mfhera.cold):
        with pytest.raises(TimeoutExpired):
            each.python("-c", code, timeout=5)
        for pid in (mfhera.folder / "pids").read_text().split():
            mfhera.wait_until(lambda pid=pid: not alive(pid))
        (mfhera.folder / "pids").unlink()


def alive(pid: str) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def about_a_server(mfhera: Mfhera) -> dict[str, object]:
    """What another process can see of the server that a call starts, and what it has logged."""
    refused = mfhera("local", "start", env={"METAFLOW_HERA_MAX_PODS": "many"})
    mfhera.ok("local", "start")
    home = Path(mfhera.env["METAFLOW_HERA_HOME"])
    server = launch.status(home)
    assert server is not None
    process = Path(f"/proc/{server.pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    seen = {
        "refused": (refused.returncode, refused.stdout, refused.stderr),
        "folder": (process / "cwd").readlink(),
        "own session": os.getsid(server.pid) == os.getpgid(server.pid) == server.pid,
        "status": {name: status[name] for name in ("Umask", "SigBlk", "SigIgn", "SigCgt")},
        "streams": [(process / "fd" / str(number)).readlink() for number in range(3)],
        "started": (home / "start.log").read_text(),
        "log": re.sub(r"\S+ \S+ (INFO|ERROR)|:\d+|\[\d+\]", r"\1", (home / "server.log").read_text()),
    }
    mfhera.ok("local", "stop")
    (home / "server.log").unlink()
    return seen


def test_a_server_starts_as_a_cold_one(own_mfhera: Mfhera) -> None:
    own_mfhera("list")  # the first call has the process started from which servers are forked
    assert [*sockets(warm.PLACE, "server")]
    assert about_a_server(own_mfhera) == about_a_server(own_mfhera.cold)
