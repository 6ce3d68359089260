"""Every call of every verb, answered in every wrong way: one sentence, and nothing is claimed that is not so.

The verbs are called as on a command line, in this process. In front of the embedded Argo stands a connection
that answers in its place from some call on: without handing the call on, or after it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from exports import export
from requests.adapters import BaseAdapter, HTTPAdapter
from twin import TOKEN, Application, Twin
from urllib3.exceptions import ProtocolError

from metaflow_hera.argo import runs
from metaflow_hera.cli.main import run_command
from metaflow_hera.contract.manifest import DEPLOYMENT_TIMESTAMP
from metaflow_hera.operations.exports import create_from

HTML = "<html><head><title>Bad Gateway</title></head><body>a proxy of the company</body></html>"
PAGE = {"Content-Type": "text/html"}
ANOTHER = {"metadata": {"name": "another", "namespace": "default"}, "spec": {"templates": []}, "status": {}}
STATUS = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "code": 403,
    "message": 'workflows.argoproj.io is forbidden: User "x" cannot do that',
}


def broken(error: Exception) -> Callable[[], requests.Response]:
    """A connection that fails."""

    def fail() -> requests.Response:
        raise error

    return fail


def says(status: int, body: object = "", **headers: str) -> Callable[[], requests.Response]:
    """An answer."""

    def answer() -> requests.Response:
        made = requests.Response()
        made.status_code = status
        made.headers.update({"Content-Type": "application/json"} | headers)
        made.raw = io.BytesIO((body if isinstance(body, str) else json.dumps(body)).encode())
        return made

    return answer


def lost(error: Exception) -> requests.ConnectionError:
    """A connection that was closed."""
    return requests.ConnectionError(ProtocolError("Connection aborted.", error))


ANSWERS: dict[str, Callable[[], requests.Response]] = {
    "moved": says(301, Location="https://argo.example/base"),
    "found": says(302, Location="/login"),
    "moved for good": says(308, Location="https://argo.example"),
    "an empty object": says(200, {}),
    "a list": says(200, [1, 2]),
    "null": says(200, "null"),
    "a number": says(200, "3"),
    "a text": says(200, '"fine"'),
    "nothing": says(200),
    "no content": says(204),
    "a page": says(200, HTML, **{"Content-Type": "text/html"}),
    "a page that calls itself JSON": says(200, HTML),
    "another object": says(200, ANOTHER),
    "a list of what is none": says(200, {"metadata": {}, "items": [1]}),
    "items that are none": says(200, {"items": "all"}),
    "metadata that are none": says(200, {"metadata": [], "spec": [], "status": []}),
    "half of it": says(200, '{"metadata": {"name": "linearfl'),
    "not UTF-8": says(200, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1") + "{}"),
    "a Status": says(200, STATUS),
    "a refusal of Kubernetes": says(403, STATUS),
    "400": says(400, {"code": 3, "message": "told why"}),
    "401": says(401, {"code": 16, "message": "token not valid"}),
    "403": says(403, {"code": 7, "message": "permission denied"}),
    "403 of a proxy": says(403, HTML, **PAGE),
    "404": says(404, {"code": 5, "message": "not there"}),
    "404 of a proxy": says(404, HTML, **PAGE),
    "409": says(409, {"code": 6, "message": "already exists"}),
    "410": says(410, {"code": 2, "message": "the resourceVersion is too old"}),
    "422": says(422, {"code": 3, "message": "is invalid"}),
    "429": says(429, {"code": 8, "message": "too many requests"}),
    "500": says(500, {"code": 13, "message": "told why"}),
    "500 of a proxy": says(500, HTML, **PAGE),
    "501": says(501, {"code": 12, "message": "is not supported"}),
    "502": says(502, HTML, **PAGE),
    "503": says(503, "no healthy upstream", **{"Content-Type": "text/plain"}),
    "504": says(504, HTML, **PAGE),
    "closed": broken(lost(RemoteDisconnected("Remote end closed connection without response"))),
    "reset": broken(lost(ConnectionResetError(104, "Connection reset by peer"))),
    "no HTTP": broken(lost(BadStatusLine("\x15\x03\x01"))),
    "cut off": broken(
        requests.exceptions.ChunkedEncodingError(ProtocolError("Connection broken", IncompleteRead(b"{")))
    ),
    "too late": broken(requests.ReadTimeout("Read timed out.")),
}


class Front(BaseAdapter):
    """Hands calls on, and from some call on answers them itself, or that call alone."""

    def __init__(self, behind: Application) -> None:
        super().__init__()
        self._behind = behind
        self.reset()

    def reset(
        self,
        answer: Callable[[], requests.Response] | None = None,
        at: int = 0,
        *,
        once: bool = False,
        after: bool = False,
    ) -> None:
        """What to answer, from which call on (or there alone), and whether after the call was handed on."""
        self._answer, self._at, self._once, self._after = answer, at, once, after
        self.calls: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer."""
        at = len(self.calls)
        self.calls.append(str(request.method))
        bad = self._answer is not None and (at == self._at if self._once else at >= self._at)
        if not bad or self._after:
            good = self._behind.send(request, *args, **kwargs)
            if not bad:
                return good
        assert self._answer is not None
        made = self._answer()
        made.request, made.url = request, str(request.url)
        return made

    def close(self) -> None:
        """There is nothing to close."""


class World:
    """A server with deployments and runs, and the command of somebody who uses it through a front."""

    def __init__(self, twin: Twin, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.twin, self.front, self._capsys = twin, Front(twin.transport), capsys
        for name in DEPLOYED:
            new = export(name)
            new[0]["metadata"]["labels"]["team"] = "new"
            (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(new))

    def prepare(self) -> None:
        """Deployments; a run that has failed, one that waits and one that is suspended."""
        self.front.reset()
        for kind, name, _ in self.twin.stored():
            self.twin.call("DELETE", f"{kind}/default/{name}")
        client = self.twin.client
        for name in DEPLOYED:
            about = create_from(export(name), client, None)
        started = [runs.start(client, about, {}) for _ in range(3)]
        self._runs = dict(zip(("FAILED", "WAITS", "SUSPENDED"), started, strict=True))
        self.twin.finish(started[0].workflow, exit_code=1)
        client.suspend(started[2].workflow)

    def call(self, *words: str) -> tuple[int, str, list[str]]:
        """Call it; its exit code, stdout, and the lines of stderr without where it goes."""
        self._capsys.readouterr()
        code = run_command([self._runs[word].run_id if word in self._runs else word for word in words])
        told = self._capsys.readouterr()
        return code, told.out, [line for line in told.err.splitlines() if not line.startswith("Using ")]

    def content(self) -> list[str]:
        """All that is there, without what differs each time that it is written."""
        found = []
        for kind in ("workflow-templates", "cron-workflows", "sensors", "workflows"):
            for item in self.twin.ask(f"{kind}/default")["items"] or ():
                metadata = item["metadata"]
                notes = {**(metadata.get("annotations") or {}), DEPLOYMENT_TIMESTAMP: ""}
                about = [kind, metadata["name"], metadata.get("labels"), notes, item["spec"]]
                found.append(json.dumps([*about, item.get("status", {}).get("phase")], sort_keys=True))
        return sorted(found)


DEPLOYED = ("schedules", "event", "linear")
VERBS = {
    "create": ["create", "--from", "linear.yaml"],
    "create with schedules": ["create", "--from", "schedules.yaml"],
    "create with events": ["create", "--from", "event.yaml", "--json"],
    "list": ["list"],
    "delete": ["delete", "--name", "schedulesflow"],
    "trigger": ["trigger", "--name", "linearflow", "--json"],
    "runs": ["runs", "--name", "linearflow"],
    "status": ["status", "WAITS"],
    "suspend": ["suspend", "WAITS"],
    "resume": ["resume", "SUSPENDED"],
    "stop": ["stop", "WAITS", "--json"],
    "terminate": ["terminate", "WAITS"],
    "retry": ["retry", "FAILED"],
    "resubmit": ["resubmit", "FAILED"],
    "delete --run": ["delete", "--run", "FAILED"],
    "schedule": ["schedule", "--name", "schedulesflow"],
    "emit": ["emit", "ready"],
}
READS = ("list", "runs", "status", "schedule")
UNREADABLE = ("Traceback", "bug in mfhera", "<html")
UNSURE = ("it is not known whether", "could not be undone", "Already deleted")


@pytest.fixture
def world(
    twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> World:
    """The server, used through the configuration as a cluster's is."""
    made = World(twin, tmp_path, capsys)
    for name, value in {
        "ARGO_SERVER": "127.0.0.1:2746",
        "ARGO_SECURE": "false",
        "ARGO_TOKEN": TOKEN,
        "ARGO_NAMESPACE": "default",
    }.items():
        monkeypatch.setenv(name, value)
    choose = requests.Session.get_adapter

    def adapter(session: requests.Session, url: str) -> BaseAdapter:
        found = choose(session, url)
        return made.front if type(found) is HTTPAdapter else found

    monkeypatch.setattr(requests.Session, "get_adapter", adapter)
    return made


@pytest.mark.parametrize("verb", VERBS)
def test_each_call_of_a_verb_answered_in_each_wrong_way(world: World, verb: str) -> None:
    world.prepare()
    before = world.content()
    code, _, said = world.call(*VERBS[verb])
    assert (code, said) == (0, [])
    calls = world.front.calls
    assert (world.content() == before) == (verb in (*READS, "emit"))
    wrong: list[str] = []
    tried = 0
    for at, method in enumerate(calls):
        for once, after in ((False, False), (True, False), (True, True), (False, True)):
            if after and method == "GET":
                continue
            for how, answer in ANSWERS.items():
                if world.content() != before:
                    world.prepare()
                    before = world.content()
                world.front.reset(answer, at, once=once, after=after)
                code, out, said = world.call(*VERBS[verb])
                world.front.reset()
                tried += 1
                case = f"{how}, {'once' if once else 'on'}{', after' * after}, at {at} {calls[at:]}"
                wrong += [f"{case}: {each}" for each in faults(verb, code, out, said)]
                changed = world.content() != before
                unsure = any(part in line for part in UNSURE for line in said)
                if changed != (code == 0) and verb not in (*READS, "emit") and not unsure:
                    wrong.append(
                        f"{case}: {'something' if changed else 'nothing'} was done: {code} {said} {out}"
                    )
    print(tried)
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong[:40])


def faults(verb: str, code: int, out: str, said: list[str]) -> Iterator[str]:
    """What is wrong with the way in which a command has ended."""
    text = "\n".join(said)
    if code not in (0, 2):
        yield f"exit code {code}: {text}"
    if code == 2 and (len(said) != 1 or not text.startswith("mfhera: ") or out):
        yield f"not one sentence: {text!r} {out!r}"
    if (
        len(said) > 1
        or len(text) > 900
        or any(word in text for word in ("Traceback", "bug in mfhera", "<html"))
    ):
        yield f"not readable: {text!r}"
    if TOKEN in text + out:
        yield "it tells the token"
