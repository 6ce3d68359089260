"""What each verb sends to Argo's server: calls of Argo's API, with bodies that Hera's own models take whole.

The verbs talk to a server of the test's own that hands all on to the embedded Argo, over real HTTP, as a
user's who has set ARGO_SERVER do.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import threading
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from harness import SECONDS, Mfhera
from hera.events import models as events_models
from hera.events.service import EventsService
from hera.workflows import WorkflowsService
from hera.workflows import models as hera_models
from pydantic import BaseModel

from metaflow_hera.embedded.local import launch
from metaflow_hera.home import home_folder


@dataclass(frozen=True)
class Api:
    """One call of Argo's API, as Hera has it from Argo's OpenAPI description."""

    path: re.Pattern[str]
    queries: frozenset[str]
    body: type[BaseModel] | None


def apis() -> dict[tuple[str, str], Api]:
    """All calls, by method and path."""
    found = {}
    functions = [
        (function, models)
        for service, models in ((WorkflowsService, hera_models), (EventsService, events_models))
        for _, function in inspect.getmembers(service, inspect.isfunction)
    ]
    for function, models in functions:
        source = inspect.getsource(function)
        method = re.search(r'method="(\w+)"', source)
        path = re.search(r'urljoin\(\s*self\.host,\s*"(api/v1/[^"]*)"', source)
        if method is None or path is None:
            continue
        pattern = re.compile("/" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path[1])))
        params = re.search(r"params=\{(.*?)\}", source, re.S)
        queries = frozenset(re.findall(r'"([\w.]+)":', params[1]) if params else ())
        hints = typing.get_type_hints(function, vars(models))
        found[method[1].upper(), path[1]] = Api(pattern, queries, hints.get("req"))
    return found


APIS = apis()


@dataclass(frozen=True)
class Call:
    """What was sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def name(self) -> str:
        """The method, and the path with its variables, of the call that this is."""
        fitting = [
            key for key, api in APIS.items() if key[0] == self.method and api.path.fullmatch(self.path)
        ]
        assert fitting, f"{self.method} {self.path} is no call of Argo's"
        # `workflows/{namespace}/submit` and `workflows/{namespace}/{name}`: the one with fewer variables.
        return " ".join(min(fitting, key=lambda key: key[1].count("{")))

    def check(self) -> None:
        """Demand that Argo knows everything in it."""
        method, path = self.name().split(" ")
        api = APIS[method, path]
        unknown = parse_qs(self.query, keep_blank_values=True).keys() - api.queries
        assert not unknown, f"{method} {path}: {unknown}"
        assert self.headers["authorization"].startswith("Bearer ")
        if api.body is None:
            assert not self.body
            return
        sent = json.loads(self.body)
        taken = api.body.model_validate(sent).model_dump(mode="json", by_alias=True, exclude_unset=True)
        # A field that the model does not know would be missing.
        assert taken == sent


@dataclass
class Recorder:
    """Hands calls on to another server, and notes them; `meanwhile` is called before each is handed on."""

    upstream: str
    calls: list[Call] = field(default_factory=list)
    meanwhile: Callable[[Call], None] | None = None
    port: int = 0

    @property
    def names(self) -> list[str]:
        """The calls so far, each kind once, in their order."""
        return list(dict.fromkeys(call.name() for call in self.calls))


def handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.calls.append(Call(self.command, parts.path, parts.query, headers, body))
            if recorder.meanwhile is not None:
                recorder.meanwhile(recorder.calls[-1])
            kept = {name: headers[name] for name in ("authorization", "content-type") if name in headers}
            with httpx.stream(
                self.command,
                recorder.upstream + self.path,
                content=body,
                headers=kept,
                timeout=SECONDS,
                trust_env=False,
            ) as answer:
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("content-type", "application/json"))
                self.end_headers()
                for chunk in answer.iter_bytes():
                    self.wfile.write(chunk)

        do_GET = do_POST = do_PUT = do_DELETE = hand_on

        def log_message(self, *_: Any) -> None:
            """Not to stderr."""

    return Handler


@pytest.fixture
def recorder(mfhera: Mfhera) -> Iterator[Recorder]:
    """A server in front of the embedded Argo, which runs."""
    mfhera.ok("local", "start")
    server = launch.status(home_folder(mfhera.env))
    assert server is not None
    made = Recorder(server.url)
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    made.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    http.shutdown()
    thread.join()
    http.server_close()
    for call in made.calls:
        call.check()


class Cluster:
    """`mfhera` of somebody who has set ARGO_SERVER to the recorder."""

    def __init__(self, mfhera: Mfhera, recorder: Recorder) -> None:
        server = launch.status(home_folder(mfhera.env))
        assert server is not None
        self._mfhera = mfhera
        self._env = {
            "ARGO_SERVER": f"127.0.0.1:{recorder.port}",
            "ARGO_SECURE": "false",
            "ARGO_TOKEN": server.token,
            "ARGO_NAMESPACE": "default",
            "NO_PROXY": "127.0.0.1",
        }
        self._recorder = recorder

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call it; only its own calls are in the recorder then."""
        for call in self._recorder.calls:
            call.check()
        self._recorder.calls.clear()
        return self._mfhera(*arguments, env=self._env)

    def ok(self, *arguments: str) -> str:
        """Call it and demand success."""
        done = self.call(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


WORKFLOWS = "api/v1/workflows/{namespace}"
WORKFLOW = "api/v1/workflows/{namespace}/{name}"
TEMPLATE = "api/v1/workflow-templates/{namespace}/{name}"


def test_the_verbs_about_runs_call_argo_as_its_description_has_it(mfhera: Mfhera, recorder: Recorder) -> None:
    mfhera.take("mended_flow.py", "guarded_flow.py")
    mfhera.ok("create", "guarded_flow.py", "--name", "requests-guarded")
    mfhera.ok("create", "mended_flow.py", "--name", "requests-mended")
    cluster = Cluster(mfhera, recorder)
    done = cluster.call(
        "trigger", "--name", "requests-mended", "--param", f"place={mfhera.folder}", "--tag", "a", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert recorder.names == [f"GET {TEMPLATE}", f"POST {WORKFLOWS}/submit", f"GET {WORKFLOW}"]
    failed = json.loads(done.stdout)["run_id"]
    cluster.call("status", failed, "--watch")
    assert recorder.names == [f"GET {WORKFLOW}"]
    cluster.ok("status", failed)
    assert recorder.names == [f"GET {WORKFLOW}"]
    cluster.ok("runs", "--name", "requests-mended")
    assert recorder.names == [f"GET {WORKFLOWS}"]
    cluster.ok("runs", "--all", "--since", "1d", "--state", "failed")
    assert recorder.names == [f"GET {WORKFLOWS}"]
    assert "not mended yet" in cluster.ok("logs", failed)
    assert recorder.names[0] == f"GET {WORKFLOW}"
    assert "not mended yet" in cluster.ok("logs", failed, "--follow")
    assert recorder.names == [f"GET {WORKFLOW}", f"GET {WORKFLOW}/log"]
    script = mfhera.folder / "mended_flow.py"
    script.write_text(script.read_text().replace('raise RuntimeError("not mended yet")', "pass"))
    assert "succeeded" in cluster.ok("retry", failed, "--with-new-code", "mended_flow.py", "--wait")
    assert recorder.names == [f"GET {WORKFLOW}", f"PUT {WORKFLOW}/retry"]
    (retry,) = [json.loads(call.body) for call in recorder.calls if call.method == "PUT"]
    assert sorted(retry) == ["name", "parameters"]
    (mfhera.folder / "mended").touch()
    cluster.ok("resubmit", failed)
    assert recorder.names == [f"GET {WORKFLOW}", f"GET {TEMPLATE}", f"PUT {WORKFLOW}/resubmit"]
    cluster.ok("delete", "--run", failed)
    assert recorder.names == [f"GET {WORKFLOW}", f"DELETE {WORKFLOW}"]
    for verb in ("stop", "terminate"):
        gate = f"gate={mfhera.folder / verb}"
        run = json.loads(cluster.ok("trigger", "--name", "requests-guarded", "--param", gate, "--json"))[
            "run_id"
        ]
        if verb == "stop":
            for action in ("suspend", "resume"):
                cluster.ok(action, run)
                assert recorder.names == [f"GET {WORKFLOW}", f"PUT {WORKFLOW}/{action}"]
        cluster.ok(verb, run)
        assert recorder.names == [f"GET {WORKFLOW}", f"PUT {WORKFLOW}/{verb}"]
        cluster.call("status", run, "--watch")
    assert cluster.call("retry", run, "--json").returncode == 0
    assert recorder.names == [f"GET {WORKFLOW}", f"PUT {WORKFLOW}/retry"]
    cluster.ok("terminate", run)


def test_the_verbs_about_deployments_call_argo_as_its_description_has_it(
    mfhera: Mfhera, recorder: Recorder
) -> None:
    mfhera.take("schedule_flow.py")
    mfhera.ok("create", "schedule_flow.py", "--name", "requests-scheduled")
    cluster = Cluster(mfhera, recorder)
    listed = {"GET api/v1/workflow-templates/{namespace}", "GET api/v1/cron-workflows/{namespace}"}
    cluster.ok("list")
    assert set(recorder.names) == listed
    cluster.ok("schedule", "--name", "requests-scheduled")
    assert set(recorder.names) <= {f"GET {TEMPLATE}", *listed, "GET api/v1/cron-workflows/{namespace}/{name}"}
    cluster.ok("delete", "--name", "requests-scheduled", "--json")
    assert f"DELETE {TEMPLATE}" in recorder.names
    assert "DELETE api/v1/cron-workflows/{namespace}/{name}" in recorder.names


@pytest.fixture
def recorded(mfhera: Mfhera, recorder: Recorder) -> Iterator[Recorder]:
    """The recorder, where `mfhera` takes it for the embedded Argo: its data stays on this machine."""
    note = launch.home_folder(mfhera.env) / "server.json"
    before = note.read_text()
    note.write_text(json.dumps({**json.loads(before), "url": f"http://127.0.0.1:{recorder.port}"}))
    yield recorder
    note.write_text(before)


TEMPLATES = "api/v1/workflow-templates/{namespace}"
CRONS = "api/v1/cron-workflows/{namespace}"
CRON = f"{CRONS}/{{name}}"
SENSORS = "api/v1/sensors/{namespace}"
SENSOR = f"{SENSORS}/{{name}}"
READ = [f"GET {TEMPLATE}", f"GET {CRONS}"]
READ_WITH_SENSOR = [f"GET {TEMPLATE}", f"GET {SENSOR}", f"GET {CRONS}"]


def test_create_and_delete_ask_for_each_object_once(mfhera: Mfhera, recorded: Recorder) -> None:
    mfhera.take("event_flow.py", "schedules_flow.py", "linear_flow.py")

    def calls(*arguments: str) -> list[str]:
        recorded.calls.clear()
        mfhera.ok(*arguments, "--name", "requests-planned")
        first, *others = [call.name() for call in recorded.calls]
        assert first == "GET api/v1/version"  # whether the embedded Argo is there
        return others

    script = mfhera.folder / "linear_flow.py"
    plain = script.read_text().replace("LinearFlow", "EventFlow")
    script.write_text(plain)
    assert calls("create", "event_flow.py") == [*READ_WITH_SENSOR, f"POST {TEMPLATES}", f"POST {SENSORS}"]
    # The sensor is what it was.
    assert calls("create", "event_flow.py") == [*READ_WITH_SENSOR, f"PUT {TEMPLATE}"]
    assert calls("create", "linear_flow.py") == [*READ_WITH_SENSOR, f"PUT {TEMPLATE}", f"DELETE {SENSOR}"]
    assert calls("create", "linear_flow.py") == [*READ, f"PUT {TEMPLATE}"]
    assert calls("delete") == [f"GET {TEMPLATE}", f"GET {CRONS}", f"GET {SENSOR}", f"DELETE {TEMPLATE}"]
    assert calls("create", "linear_flow.py") == [*READ, f"POST {TEMPLATES}"]
    assert calls("delete")[-1] == f"DELETE {TEMPLATE}"
    assert calls("create", "schedules_flow.py") == [
        *READ,
        f"POST {TEMPLATES}",
        f"POST {CRONS}",
        f"POST {CRONS}",
    ]
    assert calls("create", "schedules_flow.py") == [*READ, f"PUT {TEMPLATE}"]
    assert calls("delete")[-3:] == [f"DELETE {CRON}", f"DELETE {CRON}", f"DELETE {TEMPLATE}"]


def test_who_deploys_at_the_same_moment_decides_on_the_token(mfhera: Mfhera, recorded: Recorder) -> None:
    def deploys(call: Call) -> None:
        if call.name() == f"POST {TEMPLATES}":
            body = json.loads(call.body)
            body["template"]["metadata"]["annotations"]["metaflow/production_token"] = "the-faster-one"
            url, headers = f"{recorded.upstream}{call.path}", {"Authorization": call.headers["authorization"]}
            httpx.post(url, json=body, headers=headers, timeout=SECONDS, trust_env=False).raise_for_status()

    mfhera.take("linear_flow.py")
    recorded.meanwhile = deploys
    made = mfhera.json("create", "linear_flow.py", "--name", "requests-raced", "--json")
    assert made["namespace"] == "production:the-faster-one"
    names = [call.name() for call in recorded.calls]
    assert names[1:] == [*READ, f"POST {TEMPLATES}", *READ, f"PUT {TEMPLATE}"]


@pytest.mark.parametrize("words", [["logs", ""], ["delete", "--run", ""]])
def test_a_shell_completes_runs_of_the_server_of_argo_server(
    mfhera: Mfhera, recorder: Recorder, words: list[str]
) -> None:
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "requests-completed")
    run = mfhera.run("--name", "requests-completed")["run_id"]
    cluster = Cluster(mfhera, recorder)
    env = {
        **cluster._env,
        "_MFHERA_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["mfhera", *words]),
        "COMP_CWORD": str(len(words)),
    }
    assert f"plain,{run}" in mfhera.ok(env=env).splitlines()
    assert recorder.names == [f"GET {WORKFLOWS}"]
