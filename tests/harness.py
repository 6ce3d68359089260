"""What the tests share: `mfhera` as its user calls it, and a run as Metaflow's Client API reads it."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from difflib import unified_diff
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import any_argo
import httpx
import warm
import warm_choice
from any_argo import Server
from serving import serving

TESTS = Path(__file__).parent
FLOWS = TESTS / "flows"
EXAMPLES = TESTS.parent / "examples"
USER = "tester"
SECONDS = 600.0
"""A bound for any one process, on a busy machine too: whoever takes longer hangs."""
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
"""How httpx calls a server of this machine: loading the certificates of authorities takes longer."""
DEPENDS_ON_HOW_IT_RUNS = {"tags", "attempt"}
Tasks = dict[str, dict[str, Any]]
"""The tasks of a run, by `step/index/index...`: their artifacts as repr, see reading.py."""


OF_THE_MACHINE = ("METAFLOW_", "ARGO_", *any_argo.CLOUDS, "KUBERNETES_", "EMBEDDED_ARGO_", "PYTHON")
NETWORK = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
"""How this machine reaches a package index."""


def without_the_machine(env: Mapping[str, str]) -> dict[str, str]:
    """An environment without what it says about Metaflow, Argo, a cloud, Python or a proxy."""
    return {
        name: value
        for name, value in env.items()
        if not (name.startswith(OF_THE_MACHINE) or name.lower().endswith("_proxy"))
    }


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment for `mfhera` with a home of its own."""
    return {
        **without_the_machine(os.environ),
        "HOME": str(home / "user"),
        "METAFLOW_HOME": str(home / "metaflow"),
        "METAFLOW_HERA_HOME": str(home / "argo"),
        # Below the test's own folder, or the Client API would fill /tmp/metaflow_client; and the same for all
        # tests, or none of them could share a warm process.
        "METAFLOW_CLIENT_CACHE_PATH": ".metaflow/client",
        "METAFLOW_USER": USER,
        "METAFLOW_HERA_MAX_PODS": "8",
        **more,
    }


def share_modules(old: Path, new: Path) -> None:
    """Have a new home use what is packed, unpacked and compiled of Metaflow in another, if it is by now.

    Its commands and pods would do the same, and take a second for it in each home. The old one stays as long
    as the new one; no test changes the modules.
    """
    cache = new / "argo" / "cache"
    for modules in (old / "argo" / "cache").glob("modules-*"):
        cache.mkdir(parents=True, exist_ok=True)
        (cache / modules.name).symlink_to(modules)
    for packed in (old / "argo" / "cache").glob("packed-*"):
        cache.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another command has just kept a newer one
            os.link(packed, cache / packed.name)


def environment(home: Path) -> dict[str, str]:
    """The same for a test that any Argo can take: with `--any-argo` the one that the machine names."""
    return {**any_argo.handed, **clean_environment(home)}


def leave_the_machine(empty: Path) -> None:
    """Make this process itself one that the machine says nothing to about Metaflow, Argo or AWS.

    Metaflow reads its configuration when it is first imported, from files around the current folder too.
    """
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(each) is signal.SIG_IGN:  # as nohup has it, or a shell for what runs behind it
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
    kept = without_the_machine(os.environ)
    for name in {*os.environ} - {*kept}:
        del os.environ[name]
    # What Metaflow starts as `python`, and `uv`, are those of this environment, activated or not.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (empty / ".metaflow").mkdir()  # or Metaflow would look in the folders above
    os.environ.update(METAFLOW_HOME=str(empty), METAFLOW_USER=USER)
    os.environ["METAFLOW_CLIENT_CACHE_PATH"] = str(empty / "client")
    before = Path.cwd()
    os.chdir(empty)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Metaflow imports
        importlib.import_module("metaflow.metaflow_config")
    os.chdir(before)


def wait_until(condition: Callable[[], Any], seconds: float = SECONDS) -> None:
    """Wait for something to come true; it fails after a while."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


@dataclass
class Mfhera:
    """The command `mfhera`, called in a folder, with an embedded Argo of its own below `home`."""

    home: Path
    folder: Path
    env: dict[str, str]
    starts: Callable[..., subprocess.CompletedProcess[str]] = warm.call
    """How a process starts: see warm.py."""

    @property
    def cold(self) -> Mfhera:
        """The same, each process with a start of its own: where the start or its imports are the point."""
        return replace(self, starts=warm.call_cold)

    def __call__(
        self, *arguments: str, env: Mapping[str, str | None] | None = None, timeout: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Call it; `env` adds variables, or takes away those that are None."""
        return self.python("-m", warm_choice.COMMAND, *map(str, arguments), env=env, timeout=timeout)

    def python(
        self, *arguments: str, env: Mapping[str, str | None] | None = None, timeout: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Call the interpreter in the same folder and environment."""
        changed = {**self.env, **(env or {})}
        kept = {name: value for name, value in changed.items() if value is not None}
        return self.starts(arguments, self.folder, kept, timeout)

    def ok(self, *arguments: str, **options: Any) -> str:
        """Call it, demand success, return what it wrote on stdout."""
        done = self(*arguments, **options)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, **options: Any) -> Any:
        """What it wrote as JSON."""
        return json.loads(self.ok(*arguments, **options))

    def at(self, folder: Path) -> Mfhera:
        """The same in another folder, which is where its local datastore is."""
        (folder / ".metaflow").mkdir(parents=True, exist_ok=True)
        return replace(self, folder=folder)

    def take(self, *files: str | Path) -> None:
        """Copy flows into the folder; a bare name is one of tests/flows."""
        for file in files:
            shutil.copy(FLOWS / file, self.folder)

    def run(self, *arguments: str, **options: Any) -> Any:
        """Trigger, wait for success and return the run as JSON."""
        return self.json("trigger", "--wait", "--json", *arguments, **options)

    def read(self, pathspec: str) -> dict[str, dict[str, Any]]:
        """The tasks of a run, by `step/index/index...`: their artifacts as repr, see reading.py."""
        done = self.python(str(TESTS / "reading.py"), pathspec)
        assert done.returncode == 0, done.stderr
        tasks: dict[str, dict[str, Any]] = json.loads(done.stdout)
        return tasks

    @property
    def server(self) -> Server:
        """The Argo that it talks to, to be asked directly."""
        found = Server.of(self.env)
        assert found is not None
        return found

    def ask(self, kind: str, name: str, **query: str) -> Any:
        """An object as the server has it."""
        return self.server.call("GET", kind, name, params=query).json()

    def stored(self) -> list[tuple[str, str, str]]:
        """All that the server has: kind, name and version of each object."""
        server = Server.of(self.env)
        if server is None:
            return []
        return sorted(
            (kind, item["metadata"]["name"], item["metadata"]["resourceVersion"])
            for kind in any_argo.KINDS
            for item in server.listed(kind)
        )

    def phases(self, deployment: str) -> dict[str, str]:
        """The runs of a deployment, by id, with their states; quicker than `mfhera runs`."""
        label = f"workflows.argoproj.io/workflow-template={deployment}"
        query = {"listOptions.labelSelector": label, "fields": "items.metadata.name,items.status.phase"}
        return {
            f"argo-{each['metadata']['name']}": each.get("status", {}).get("phase", "Pending")
            for each in self.server.listed("workflows", **query)
        }

    def end_of(self, run: str) -> str:
        """The phase in which a run has ended. The server tells when it does: nobody has to ask again."""
        server = self.server
        selector = f"metadata.name={run.removeprefix('argo-')}"
        query = {"listOptions.fieldSelector": selector, "fields": "result.object.status"}
        address = server.address("workflow-events")
        with httpx.stream("GET", address, params=query, **server.options) as answer:
            for line in answer.iter_lines():
                status = json.loads(line)["result"]["object"]["status"]
                if status.get("finishedAt"):
                    return str(status["phase"])
        raise AssertionError("the server ended before the run")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come true; it fails after a while."""
        wait_until(condition)

    def forget_deployments(self) -> None:
        """Delete what is deployed, with its schedules and sensors; runs stay."""
        server = Server.of(self.env)
        if server is not None:
            server.empty(kind for kind in any_argo.KINDS if kind != "workflows")

    def start(self) -> None:
        """Start the embedded Argo, where that is the one to talk to."""
        if not any_argo.real():
            self.ok("local", "start")

    def stop(self) -> None:
        """End the embedded Argo, if there is one; at another Argo, delete what the tests have left."""
        real = any_argo.real()
        if real is None:
            self.ok("local", "stop")
        else:
            real.empty()


def run_by_metaflow(mfhera: Mfhera, flow: str, *options: str) -> dict[str, dict[str, Any]]:
    """The tasks of a flow that Metaflow's own `run` has run."""
    done = mfhera.python(flow, "--quiet", "run", "--run-id-file", "id", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return mfhera.read(f"{flow_name(mfhera, flow)}/{(mfhera.folder / 'id').read_text()}")


def flow_name(mfhera: Mfhera, flow: str) -> str:
    """The class that a flow's script defines: LinearFlow for linear_flow.py."""
    text = (mfhera.folder / flow).read_text()
    return re.findall(r"class (\w+)\(", text)[-1]


def assert_same(expected: Tasks, found: Tasks, first: str, second: str, where: str) -> None:
    """Demand the same tasks with the same artifacts, and show those that differ."""
    lines = unified_diff(_as_lines(expected), _as_lines(found), first, second, lineterm="", n=0)
    difference = "\n".join(lines)
    assert not difference, f"{where}:\n{difference}"


def _as_lines(tasks: Tasks) -> list[str]:
    """What a run made, a line for each artifact."""
    return [
        f"{key} {name} = {value}"
        for key, task in sorted(tasks.items())
        for name, value in sorted(task.items())
        if name not in DEPENDS_ON_HOW_IT_RUNS
    ]


def step_of(run: Any, name: str) -> Any:
    """A step of `status --json`."""
    return next(step for step in run["steps"] if step["name"] == name)


def message(done: subprocess.CompletedProcess[str]) -> str:
    """What a refused command said on stderr, without the line that says whom it talks to."""
    where = ("Using ", "Started the embedded Argo", "Written for ")
    return "\n".join(line for line in done.stderr.splitlines() if not line.startswith(where))


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Demand exit code 2 and one or two sentences on stderr, with these words in them."""
    said = message(done)
    assert done.returncode == 2, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert len(said.splitlines()) == 1, said
    assert said.startswith("mfhera: "), said
    assert len(said) < 500, said
    for word in words:
        assert word in said


def linear_flow(steps: int) -> str:
    """The script of a flow of that many steps, one after the other."""
    names = ["start", *(f"step_{number}" for number in range(1, steps - 1)), "end"]
    lines = ["from metaflow import FlowSpec, step", "", "", "class LinearFlow(FlowSpec):"]
    for name, following in zip(names, [*names[1:], None], strict=True):
        action = f"self.next(self.{following})" if following else "pass"
        lines += ["    @step", f"    def {name}(self):", f"        {action}", ""]
    return "\n".join([*lines, "", 'if __name__ == "__main__":', "    LinearFlow()", ""])


def at_once(spans: Sequence[tuple[float, float]]) -> int:
    """How many of the spans of time were open at the same time, at most."""
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most


class Answers(BaseHTTPRequestHandler):
    """Answers every call in one way, or those that list objects in another, and notes it."""

    status = 500
    body = b"{}"
    listed: bytes | None = None
    location: str | None = None
    calls: list[str]

    def _answer(self) -> None:
        self.calls.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.status, self.body
        if self.listed is not None and self.command == "GET" and urlsplit(self.path).path.endswith("/team"):
            status, body = 200, self.listed
        self.send_response(status)
        if self.location is not None:
            self.send_header("Location", self.location + self.path)
        if status == 200:
            self.send_header("Grpc-Metadata-Argo-Version", "v4.1.2")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *arguments: object) -> None:
        """Nothing on stderr."""


class FakeArgo:
    """A real HTTP server that refuses, but for lists of objects where `listed` says what they hold.

    With `location` each answer names that address, followed by the path that was asked for.
    """

    def __init__(self, status: int, body: object, listed: object = None, location: str | None = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.calls: list[str] = []
        answers = {
            "status": status,
            "body": text.encode(),
            "listed": None if listed is None else json.dumps(listed).encode(),
            "location": location,
            "calls": self.calls,
        }
        handler = type("H", (Answers,), answers)
        self._open = ExitStack()
        self._address = self._open.enter_context(serving(handler))

    @property
    def env(self) -> dict[str, str]:
        """What makes it the server to talk to."""
        return {
            "ARGO_SERVER": self._address,
            "ARGO_SECURE": "false",
            "ARGO_NAMESPACE": "team",
            "NO_PROXY": "127.0.0.1",
        }

    def close(self) -> None:
        """Stop it."""
        self._open.close()
