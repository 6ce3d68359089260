"""A client's whole life, call by call, as a real Argo 4.1.2 answered it."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from .conftest import DATA, Argo, pods, unequal

EXCHANGES = json.loads((DATA / "exchanges.json").read_text())["exchanges"]

# What differs from run to run, masked on both sides.
TIMES = ("creationTimestamp", "startedAt", "finishedAt")
MASKED = {"uid": "UID", "resourceVersion": "VERSION", "hostNodeName": "NODE", **dict.fromkeys(TIMES, "TIME")}


def mask(value: Any) -> Any:
    if isinstance(value, list):
        return [mask(item) for item in value]
    if not isinstance(value, dict):
        return value
    masked = {key: MASKED[key] if key in MASKED and item else mask(item) for key, item in value.items()}
    # These answers were recorded without it; those in recordings-2 have it.
    masked.pop("workflows.argoproj.io/pod-name-format", None)
    # How often Argo's controller wrote the object is its own affair.
    if "status" in masked and "workflowTemplateRef" in masked.get("spec", {}) and "nodes" in masked["status"]:
        masked["metadata"] = {**masked["metadata"], "generation": "N"}
    return masked


class Replay:
    """Sends the recorded calls with the names that this server gave."""

    def __init__(self, argo: Argo) -> None:
        self.argo = argo
        self.names: dict[str, str] = {}
        self.seen: dict[str, Any] = {}

    def ours(self, text: str) -> str:
        for recorded in sorted(self.names, key=len, reverse=True):
            text = text.replace(recorded, self.names[recorded])
        return text

    def theirs(self, value: Any) -> Any:
        """An answer with the recorded names; longest first, for node ids begin with the workflow's name."""
        text = json.dumps(value)
        for recorded in sorted(self.names, key=lambda name: len(self.names[name]), reverse=True):
            text = text.replace(self.names[recorded], recorded)
        return json.loads(text)

    def learn(self, recorded: Any, answer: Any) -> None:
        name = recorded.get("metadata", {}).get("generateName") and recorded["metadata"].get("name")
        if name and answer.get("metadata", {}).get("name") != name:
            self.names[name] = answer["metadata"]["name"]


def node_ids(workflow: Any) -> dict[str, str]:
    return {node["name"]: key for key, node in (workflow["status"].get("nodes") or {}).items()}


def test_every_exchange_is_answered_as_recorded(argo: Argo) -> None:
    replay = Replay(argo)
    differences = []
    for exchange in EXCHANGES:
        path = replay.ours(exchange["path"].removeprefix("/api/v1"))
        if "lines" in exchange:
            if "workflow-events" not in path:
                check_log(argo, path, exchange, replay)
            continue
        request = copy.deepcopy(exchange["request"])
        if request and "metadata" in (request.get("template") or {}) and exchange["method"] == "PUT":
            meta = request["template"]["metadata"]
            meta["uid"] = replay.seen["template"]["metadata"]["uid"]
            if meta["resourceVersion"] != "1":
                meta["resourceVersion"] = replay.seen["template"]["metadata"]["resourceVersion"]
            else:
                meta["resourceVersion"] = "0"
        if exchange["title"] == "get workflow":
            argo.end(path.rsplit("/", 1)[1])
        answer = argo.http.request(
            exchange["method"], path, content=replay.ours(json.dumps(request)) if request else None
        )
        assert answer.headers["content-type"] == exchange["content_type"], exchange["title"]
        body, expected = answer.json(), exchange["response"]
        if exchange["title"] == "create template":
            replay.seen["template"] = body
        if answer.status_code == 200:
            replay.learn(expected, body)
        if exchange["title"] in ("version", "info"):  # facts about the server itself
            body, expected = sorted(body), sorted(expected)
        if exchange["title"] == "get workflow":
            for name, key in node_ids(body).items():
                recorded = node_ids(expected)[replay.theirs(name)]
                replay.names[recorded] = key
        found = mask(replay.theirs(body))
        if (answer.status_code, found) != (exchange["status"], mask(expected)):
            differences.append(f"{exchange['title']}: {answer.status_code}")
            differences += unequal(found, mask(expected))
    assert not differences, "\n".join(differences)


def check_log(argo: Argo, path: str, exchange: Any, replay: Replay) -> None:
    """Argo's executor adds lines of its own; what the pods themselves wrote must be the same."""
    recorded = [
        line["result"]["content"]
        for line in exchange["lines"]
        if "argo=true" not in line["result"]["content"]
    ]
    with argo.http.stream("GET", path) as answer:
        assert answer.headers["content-type"] == exchange["content_type"]
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert [line["result"]["content"] for line in lines] == recorded
    for line in lines:
        assert re.fullmatch(replay.ours(r"exchange-5tb44") + r"-pod-\d+", line["result"]["podName"])


def test_a_watch_sees_the_same_states(argo: Argo) -> None:
    template = copy.deepcopy(EXCHANGES[4]["request"]["template"])
    template["metadata"]["name"] = "watched"
    # Long enough to be seen running: events that follow each other at once are joined.
    command = template["spec"]["templates"][1]["dag"]["tasks"][1]["arguments"]["parameters"][0]
    command["value"] = "echo bye; sleep 0.5"
    argo.call("POST", "/workflow-templates/argo", {"template": template})
    body = {"resourceKind": "WorkflowTemplate", "resourceName": "watched"}
    name = argo.call("POST", "/workflows/argo/submit", body)["metadata"]["name"]
    events = []
    path = f"/workflow-events/argo?listOptions.fieldSelector=metadata.name%3D{name}"
    with argo.http.stream("GET", path) as answer:
        assert answer.headers["content-type"] == "application/json"
        for line in answer.iter_lines():
            event = json.loads(line)
            assert set(event) == {"result"}
            events.append(event["result"])
            if event["result"]["object"]["status"].get("finishedAt"):
                break
    assert [event["type"] for event in events] == ["ADDED"] + ["MODIFIED"] * (len(events) - 1)
    recorded = next(e for e in EXCHANGES if e["title"] == "watch one workflow")["lines"]
    states = [{key: node["phase"] for key, node in pods(event["object"]).items()} for event in events]
    for line in recorded[2:]:
        wanted = {key: node["phase"] for key, node in pods(line["result"]["object"]).items()}
        # Events may be joined, so a state may be missed; the order of those seen is the recorded one.
        if wanted.get("b") != "Pending":
            assert wanted in states
    last, expected = events[-1]["object"], recorded[-1]["result"]["object"]
    assert set(last) == set(expected)
    assert set(last["status"]) == set(expected["status"])


@pytest.mark.parametrize("kind", ["ADDED", "DELETED"])
def test_a_watch_of_all_sees_what_is_new_and_what_goes(argo: Argo, kind: str) -> None:
    name = f"seen-{kind.lower()}"
    with argo.http.stream(
        "GET", "/workflow-events/argo?fields=result.type,result.object.metadata.name"
    ) as answer:
        lines = answer.iter_lines()
        spec = {
            "entrypoint": "m",
            "templates": [{"name": "m", "container": {"image": "x", "command": ["true"]}}],
        }
        argo.run(spec, name)
        found = next(e for e in map(json.loads, lines) if e["result"]["object"]["metadata"]["name"] == name)
        assert found["result"]["type"] == "ADDED"
        argo.end(name)
        argo.call("DELETE", f"/workflows/argo/{name}")
        if kind == "DELETED":
            events = (e["result"] for e in map(json.loads, lines))
            assert any(e["type"] == "DELETED" and e["object"]["metadata"]["name"] == name for e in events)
