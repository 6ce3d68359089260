"""Calls beyond those that were recorded: selectors, pages, fields, faults of one workflow."""

from __future__ import annotations

import json
import socket
import sqlite3
from http.client import HTTPResponse
from io import BufferedReader
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import SECONDS

from metaflow_hera.embedded.api.http import ApiError
from metaflow_hera.embedded.api.selection import Fields, label_selector
from metaflow_hera.embedded.rules.cron import check_schedule

from .conftest import Argo, pod_spec, task_group_spec

LABELS = {"app": "x", "tier": "web", "a.b/c": "1"}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("", True),
        ("app=x", True),
        ("app==x,tier=web", True),
        ("app=y", False),
        ("app!=y", True),
        ("none!=y", True),
        ("app in (x, y)", True),
        ("app notin (x,y)", False),
        ("none notin (x)", True),
        ("app", True),
        ("none", False),
        ("!none", True),
        ("! app", False),
        ("a.b/c=1 , app in (x),!none", True),
    ],
)
def test_label_selectors(selector: str, chosen: bool) -> None:
    assert label_selector(selector)(LABELS) is chosen


@pytest.mark.parametrize("selector", ["app in x", "=x", "app=x tier=web", "app in (x", "a=b=c"])
def test_a_malformed_label_selector_is_refused(selector: str) -> None:
    with pytest.raises(ApiError):
        label_selector(selector)


def test_fields_keep_and_leave_out() -> None:
    item = {
        "metadata": {"name": "n", "labels": {"a": "b"}},
        "status": {"nodes": {"x": {"phase": "P"}}, "phase": "R"},
    }
    assert Fields("status.phase").clean(item) == {"status": {"phase": "R"}}
    left_out = Fields("-status.nodes,metadata.labels").clean(item)
    assert left_out == {"metadata": {"name": "n"}, "status": {"phase": "R"}}
    assert Fields("metadata").without("status.nodes")
    assert not Fields("status").without("status.nodes")
    assert Fields("-status.nodes").without("status.nodes")


@pytest.mark.parametrize(
    "schedule",
    ["* * * * *", "*/5 0-6 1,15 jan-MAR sun", "0 0 ? * 6", "5/10 * * * *", "@daily", "@every 1h30m"],
)
def test_schedules_that_argo_takes(schedule: str) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("@often", "unrecognized descriptor: @often"),
    ],
)
def test_schedules_that_argo_refuses(schedule: str, message: str) -> None:
    with pytest.raises(
        ValueError, match="^" + "".join(f"[{c}]" if c != "^" else r"\^" for c in message) + "$"
    ):
        check_schedule(schedule)


def test_a_list_comes_in_pages(argo: Argo) -> None:
    for i in range(5):
        body = {
            "template": {
                "metadata": {"name": f"page-{i}", "labels": {"set": "pages"}},
                "spec": pod_spec("true"),
            }
        }
        argo.call("POST", "/workflow-templates/argo", body)
    names: list[str] = []
    more = ""
    for _ in range(3):
        query = f"listOptions.labelSelector=set%3Dpages&listOptions.limit=2&listOptions.continue={more}"
        page = argo.call("GET", f"/workflow-templates/argo?{query}")
        names += [item["metadata"]["name"] for item in page["items"]]
        more = page["metadata"].get("continue", "")
    assert names == [f"page-{i}" for i in range(5)]
    assert more == ""


def test_workflow_metadata_is_put_on_the_workflow(argo: Argo) -> None:
    spec = {**pod_spec("true"), "workflowMetadata": {"labels": {"of": "spec"}, "annotations": {"note": "n"}}}
    meta = argo.end(argo.run(spec))["metadata"]
    assert meta["labels"]["of"] == "spec"
    assert meta["annotations"] == {"note": "n", "workflows.argoproj.io/pod-name-format": "v2"}


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "x" * 254, ""])
def test_a_name_that_kubernetes_refuses(argo: Argo, name: str) -> None:
    answer = argo.http.post(
        "/workflow-templates/argo", json={"template": {"metadata": {"name": name}, "spec": pod_spec("true")}}
    )
    assert answer.status_code == 400


def test_generated_names_are_kubernetes_own(argo: Argo) -> None:
    body = {"workflow": {"metadata": {"generateName": "g" * 60}, "spec": pod_spec("true")}}
    name = argo.call("POST", "/workflows/argo", body)["metadata"]["name"]
    assert len(name) == 63
    assert set(name[58:]) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_deleting_a_workflow_ends_its_pods_and_takes_its_files(argo: Argo) -> None:
    name = argo.run(pod_spec("echo up; sleep 60"))
    workflow = argo.until(name, lambda workflow: argo.logs(name))
    folder = argo.home / "pods" / workflow["metadata"]["uid"]
    assert folder.exists()
    argo.call("DELETE", f"/workflows/argo/{name}")
    argo.wait(lambda: not folder.exists())
    # Its place is free again.
    assert argo.end(argo.run(pod_spec("true")))["status"]["phase"] == "Succeeded"


def test_the_fault_of_one_workflow_is_not_that_of_another(own_argo: Argo) -> None:
    broken = own_argo.run(pod_spec("sleep 1"), "broken")
    sound = own_argo.run(task_group_spec("sleep 0.3", [1, 2, 3, 4]), "sound")
    own_argo.kill()
    with sqlite3.connect(own_argo.home / "argo.db") as database:
        uid = database.execute("SELECT uid FROM workflows WHERE name='broken'").fetchone()[0]
        database.execute("UPDATE specs SET spec=? WHERE uid=?", (json.dumps({"templates": 5}), uid))
    own_argo.start()
    assert own_argo.end(sound)["status"]["phase"] == "Succeeded"
    status = own_argo.end(broken)["status"]
    assert status["phase"] == "Error"
    assert status["message"]


def test_logs_are_followed_to_the_end(argo: Argo) -> None:
    name = argo.run(
        task_group_spec("for i in 1 2 3; do echo {{inputs.parameters.item}}-$$i; sleep 0.2; done", ["a", "b"])
    )
    lines = argo.logs(name, "logOptions.follow=true")
    assert sorted(lines) == ["a-1", "a-2", "a-3", "b-1", "b-2", "b-3"]
    assert argo.get(name)["status"]["phase"] == "Succeeded"
    pod = next(
        node
        for node in argo.get(name)["status"]["nodes"].values()
        if node["displayName"].startswith("group(0")
    )
    log = f"/workflows/argo/{name}/{name}-pod-{pod['id'].rsplit('-', 1)[1]}/log"
    answer = argo.http.get(log, params={"logOptions.container": "main"})
    found = [json.loads(line)["result"]["content"] for line in answer.text.splitlines()]
    assert found == ["a-1", "a-2", "a-3"]
    # Argo's pods have a second container: Kubernetes asks which one is meant, and Argo then shows no line.
    assert argo.http.get(log).text == ""


class Kept(BufferedReader):
    """What a socket receives; an answer that was read to its end does not close it."""

    def close(self) -> None:
        """Stay open."""


def test_requests_on_one_connection_are_answered_in_their_order(argo: Argo) -> None:
    """One after the other, several at once, with a body, and after answers without one."""
    port = urlsplit(argo.server.url).port
    head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {argo.server.token}\r\n"
    body = json.dumps({"workflow": {"metadata": {"name": "x"}, "spec": pod_spec("true")}})
    lint = f"POST /api/v1/workflows/argo/lint HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
    version = f"GET /api/v1/version HTTP/1.1\r\n{head}\r\n"
    absent = f"GET /api/v1/workflows/argo/no-such HTTP/1.1\r\n{head}\r\n"
    nothing = f"HEAD /api/v1/version HTTP/1.1\r\n{head}\r\n"

    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:

        def answer(method: str = "GET") -> tuple[int, Any]:
            found = HTTPResponse(sock, method=method)
            found.fp = file
            found.begin()
            text = found.read()
            return found.status, json.loads(text) if text else None

        file = Kept(socket.SocketIO(sock, "rb"))
        for texts in ([version], [lint], [version], [version, lint, absent, version], [nothing, version]):
            sock.sendall("".join(texts).encode())
            for text in texts:
                status, found = answer(text.split()[0])
                if text == version:
                    assert (status, found["version"]) == (200, "v4.1.2")
                elif text == lint:
                    assert (status, found["metadata"]["name"]) == (200, "x")
                elif text == absent:
                    assert (status, found["code"]) == (404, 5)
                else:
                    assert found is None
