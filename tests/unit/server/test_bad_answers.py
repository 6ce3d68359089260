"""Every call of every verb, answered in every wrong way: one sentence, and nothing is claimed that is not so.

The verbs are called as on a command line, in this process. In front of the embedded Argo stands a connection
that answers in its place from some call on: without handing the call on, or after it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from exports import export
from requests.adapters import BaseAdapter, HTTPAdapter
from twin import TOKEN, Twin
from wrong import ANSWERS, LOST, Front

from metaflow_hera.argo import runs
from metaflow_hera.cli.main import run_command
from metaflow_hera.contract.manifest import DEPLOYMENT_TIMESTAMP
from metaflow_hera.operations.exports import create_from


class World:
    """A server with deployments and runs, and the command of somebody who uses it through a front."""

    def __init__(self, twin: Twin, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.twin, self.front, self._capsys = twin, Front(twin.transport), capsys
        client = twin.client
        for name in DEPLOYED:
            objects = export(name)
            about = create_from(copy.deepcopy(objects), client, None)
            objects[0]["metadata"]["labels"]["team"] = "new"
            (folder / f"{name}.json").write_text(json.dumps({"kind": "List", "items": objects}))
        started = [runs.start(client, about, {}) for _ in range(3)]
        self._runs = dict(zip(("FAILED", "WAITS", "SUSPENDED"), started, strict=True))
        twin.finish(started[0].workflow, exit_code=1)
        client.suspend(started[2].workflow)
        self._saved = folder / "saved.db"
        twin.save(self._saved)
        self.front.reset()

    def restore(self) -> None:
        """Be as at first: deployments; a run that has failed, one that waits and one that is suspended."""
        self.front.reset()
        self.twin.load(self._saved)

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
    "create": ["create", "--from", "linear.json"],
    "create with schedules": ["create", "--from", "schedules.json"],
    "create with events": ["create", "--from", "event.json", "--json"],
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
LIKE_OTHERS = ("create", "suspend", "resume", "terminate")
"""Their calls are those of another verb: fewer answers do."""
READS = ("list", "runs", "status", "schedule")
UNREADABLE = ("Traceback", "bug in mfhera", "<html")
UNSURE = ("it is unclear whether", "could not be checked", "could not be rolled back", "already deleted")


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
    before = world.content()
    code, _, said = world.call(*VERBS[verb])
    assert (code, said) == (0, [])
    calls = world.front.calls
    assert (world.content() == before) == (verb in (*READS, "emit"))
    world.restore()
    wrong: list[str] = []
    for at, method in enumerate(calls):
        for how, once, after in cases(is_write=method != "GET", few=verb in LIKE_OTHERS):
            world.front.reset(ANSWERS[how], at, once=once, after=after)
            version = world.twin.version
            code, out, said = world.call(*VERBS[verb])
            world.front.reset()
            now = world.content() if world.twin.version != version else before
            case = f"{how}{', once' * once}{', after' * after}, for {calls[at]} number {at}"
            wrong += [f"{case}: {each}" for each in faults(code, out, said)]
            unsure = any(part in line.lower() for part in UNSURE for line in said)
            sincere = how == "404" or (how == "an empty object" and method == "DELETE")  # so may Argo answer
            if (now != before) != (code == 0) and not (verb in (*READS, "emit") or unsure or sincere):
                done = "nothing" if now == before else "something"
                wrong.append(f"{case}: {done} was done: {code} {said}")
            if now != before:
                world.restore()
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


def cases(is_write: bool, few: bool) -> Iterator[tuple[str, bool, bool]]:
    """How to answer a call: in which way, it alone or all that follow, in its place or after it was done."""
    yield from ((how, False, False) for how in (LOST if few else ANSWERS))
    yield from ((how, True, False) for how in ("502", "closed"))
    if is_write:
        yield from ((how, False, True) for how in LOST)
        yield from ((how, True, True) for how in ("a page", "502", "too late"))


def faults(code: int, out: str, said: list[str]) -> Iterator[str]:
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
