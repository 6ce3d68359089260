"""What each verb sends to Argo's server: calls of Argo's API, with bodies that Hera's own models take whole.

The verbs talk to a server of the test's own that hands all on to the embedded Argo, over real HTTP, as a
user's who has set ARGO_SERVER do. What the other verbs send is in tests/unit/server.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from argo_calls import Call
from harness import PLAIN, SECONDS, Mfhera
from serving import Quiet, serving

from metaflow_hera.argo.versions import HEADER
from metaflow_hera.embedded.local import launch
from metaflow_hera.home import home_folder


@dataclass
class Recorder:
    """Hands calls on to another server, and notes them; `meanwhile` is called before each is handed on."""

    upstream: str
    calls: list[Call] = field(default_factory=list)
    meanwhile: Callable[[Call], None] | None = None
    address: str = ""

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
                **PLAIN,
            ) as answer:
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("content-type", "application/json"))
                if (version := answer.headers.get(HEADER)) is not None:
                    self.send_header(HEADER, version)
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
    with recording(server.url) as made:
        yield made
    for call in made.calls:
        call.check()


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """A server that hands all on to another."""
    made = Recorder(upstream)
    with serving(handler(made), Quiet) as made.address:
        yield made


@pytest.mark.parametrize("handed_on", [True, False])
def test_an_embedded_argo_that_is_killed_when_a_run_starts(own_mfhera: Mfhera, handed_on: bool) -> None:
    """It is started again, and the run has started once: before the kill, or after it."""
    own_mfhera.take("linear_flow.py")
    own_mfhera.ok("create", "linear_flow.py")
    server = launch.status(home_folder(own_mfhera.env))
    assert server is not None

    def kill(call: Call) -> None:
        if call.method == "POST":
            if handed_on:
                url, headers = f"{server.url}{call.path}", {"Authorization": call.headers["authorization"]}
                httpx.post(url, content=call.body, headers=headers, **PLAIN).raise_for_status()
            os.kill(server.pid, signal.SIGKILL)
            raise ConnectionAbortedError

    with recording(server.url) as recorder:
        recorder.meanwhile = kill
        note = home_folder(own_mfhera.env) / "server.json"
        facts = json.loads(note.read_text())
        note.write_text(json.dumps({**facts, "url": f"http://{recorder.address}"}))
        run = own_mfhera.json("trigger", "--json")["run_id"]
    assert own_mfhera.phases("linearflow").keys() == {run}
    assert own_mfhera.end_of(run) == "Succeeded"


class Cluster:
    """`mfhera` of somebody who has set ARGO_SERVER to the recorder."""

    def __init__(self, mfhera: Mfhera, recorder: Recorder) -> None:
        server = launch.status(home_folder(mfhera.env))
        assert server is not None
        self._mfhera = mfhera
        self._env = {
            "ARGO_SERVER": recorder.address,
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
    mfhera.take("mended_flow.py")
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


@pytest.fixture
def recorded(mfhera: Mfhera, recorder: Recorder) -> Iterator[Recorder]:
    """The recorder, where `mfhera` takes it for the embedded Argo: its data stays on this machine."""
    note = home_folder(mfhera.env) / "server.json"
    before = note.read_text()
    note.write_text(json.dumps({**json.loads(before), "url": f"http://{recorder.address}"}))
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
    # The sensor is what it was, but for the version.
    assert calls("create", "event_flow.py") == [*READ_WITH_SENSOR, f"PUT {TEMPLATE}", f"PUT {SENSOR}"]
    assert calls("create", "linear_flow.py") == [
        *READ_WITH_SENSOR,
        *(f"PUT {TEMPLATE}", f"DELETE {SENSOR}", f"GET {SENSOR}"),  # and whether it has gone
        f"GET {TEMPLATE}",  # and whether somebody has deployed meanwhile
    ]
    assert calls("create", "linear_flow.py") == [*READ, f"PUT {TEMPLATE}"]
    assert calls("delete") == [
        *(f"GET {TEMPLATE}", f"GET {CRONS}", f"GET {SENSOR}"),
        *(f"DELETE {TEMPLATE}", f"GET {TEMPLATE}"),
    ]
    assert calls("create", "linear_flow.py") == [*READ, f"POST {TEMPLATES}"]
    assert calls("delete")[-2] == f"DELETE {TEMPLATE}"
    assert calls("create", "schedules_flow.py") == [
        *READ,
        f"POST {TEMPLATES}",
        f"POST {CRONS}",
        f"POST {CRONS}",
    ]
    assert calls("create", "schedules_flow.py") == [
        *(*READ, f"PUT {TEMPLATE}", f"PUT {CRON}", f"PUT {CRON}"),
    ]
    assert calls("delete")[-6:] == [
        *(f"DELETE {CRON}", f"GET {CRON}", f"DELETE {CRON}", f"GET {CRON}"),
        *(f"DELETE {TEMPLATE}", f"GET {TEMPLATE}"),
    ]


def test_who_deploys_at_the_same_moment_decides_on_the_token(mfhera: Mfhera, recorded: Recorder) -> None:
    def deploys(call: Call) -> None:
        if call.name() == f"POST {TEMPLATES}":
            body = json.loads(call.body)
            body["template"]["metadata"]["annotations"]["metaflow/production_token"] = "the-faster-one"
            url, headers = f"{recorded.upstream}{call.path}", {"Authorization": call.headers["authorization"]}
            httpx.post(url, json=body, headers=headers, timeout=SECONDS, **PLAIN).raise_for_status()

    mfhera.take("linear_flow.py")
    recorded.meanwhile = deploys
    made = mfhera.json("create", "linear_flow.py", "--name", "requests-raced", "--json")
    assert made["namespace"] == "production:the-faster-one"
    names = [call.name() for call in recorded.calls]
    # Refused, it looks whose version is live.
    looks = [f"GET {TEMPLATE}"]
    assert names[1:] == [*READ, f"POST {TEMPLATES}", *looks, *READ, f"PUT {TEMPLATE}"]


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
