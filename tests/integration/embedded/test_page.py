"""The page's side of the server: who gets in, what a cookie is good for, and how much of a run is sent."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import PLAIN, SECONDS

from metaflow_hera.embedded.local import opening
from metaflow_hera.embedded.pods.results import RESULTS
from metaflow_hera.embedded.storage.reader import dump
from metaflow_hera.embedded.storage.store import REVISIONS
from metaflow_hera.embedded.web.session import CODES, Session

from .conftest import Argo, pod_spec, pods, task_group_spec

FIRST = "/page/static/main.js"
SVG = "http://www.w3.org/2000/svg"
WIDE = 10_000


def browser(argo: Argo) -> httpx.Client:
    """A client that has been let in by the real login, as a browser is."""
    client = httpx.Client(base_url=argo.server.url, **PLAIN, timeout=SECONDS)
    answer = client.get(opening.one_time_url(argo.server))
    assert answer.status_code == 200, answer.text
    return client


@pytest.fixture(scope="module")
def page(argo: Argo) -> Iterator[httpx.Client]:
    with closing(browser(argo)) as client:
        yield client


def test_the_cookie_is_this_sites_own_and_hidden_from_scripts(argo: Argo) -> None:
    answer = httpx.get(opening.one_time_url(argo.server), **PLAIN)
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert argo.server.token not in cookie
    assert "location" not in answer.headers  # a browser would send no strict cookie after a redirect
    assert 'http-equiv="refresh"' in answer.text


def test_a_code_works_once(argo: Argo) -> None:
    url = opening.one_time_url(argo.server)
    assert httpx.get(url, **PLAIN).status_code == 200
    again = httpx.get(url, **PLAIN)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert "mfhera local open" in again.text


@pytest.mark.parametrize("code", ["", "wrong", "%00", "é" * 2000])
def test_a_wrong_code_is_refused(argo: Argo, code: str) -> None:
    for answer in (
        httpx.get(f"{argo.server.url}/login", params={"code": code}, **PLAIN),
        httpx.post(f"{argo.server.url}/login", data={"code": code}, **PLAIN),
    ):
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_the_file_that_is_opened_logs_in(argo: Argo) -> None:
    path = opening.opening_file(argo.server)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert argo.server.token not in text
    code = text.split('name="code" value="')[1].split('"')[0]
    # A file has no origin.
    answer = httpx.post(f"{argo.server.url}/login", data={"code": code}, headers={"Origin": "null"}, **PLAIN)
    assert answer.status_code == 200
    assert "set-cookie" in answer.headers
    assert not path.exists()


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1"])
def test_another_site_cannot_log_in(argo: Argo, origin: str) -> None:
    url = opening.one_time_url(argo.server)
    assert httpx.post(url, headers={"Origin": origin}, **PLAIN).status_code == 403


def test_a_cookie_gets_no_code(argo: Argo, page: httpx.Client) -> None:
    assert page.post("/page/code", headers={"Origin": argo.server.url}).status_code == 403
    assert httpx.post(f"{argo.server.url}/page/code", **PLAIN).status_code == 401


def test_codes_end_by_themselves_and_are_few() -> None:
    now = [0.0]
    session = Session("secret", lambda: now[0])
    code = session.new_code()
    now[0] = 61
    assert not session.use(code)
    codes = [session.new_code() for _ in range(CODES + 1)]
    assert [session.use(each) for each in codes] == [False] + [True] * CODES


def test_the_cookie_survives_a_restart(own_argo: Argo) -> None:
    with closing(browser(own_argo)) as client:
        own_argo.kill()
        own_argo.start()
        assert client.get("/api/v1/version").status_code == 200
    assert stat.S_IMODE((own_argo.home / "session").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["/", FIRST, "/page/static/page.css", "/page/overview", "/page/events"])
def test_without_the_cookie_nothing_is_shown(argo: Argo, path: str) -> None:
    answer = httpx.get(argo.server.url + path, **PLAIN)
    assert (answer.status_code, answer.json()["code"]) == (401, 16)
    shown = httpx.get(argo.server.url + path, headers={"Accept": "text/html"}, **PLAIN)
    assert shown.status_code == 401
    assert "mfhera local open" in shown.text


def test_a_wrong_token_is_not_made_up_for_by_a_cookie(page: httpx.Client) -> None:
    assert page.get("/api/v1/version", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_the_cookie_reads(page: httpx.Client) -> None:
    assert page.get("/api/v1/workflows/argo").status_code == 200
    assert page.get("/").text.startswith("<!doctype html>")


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_another_page_reads_nothing_with_the_cookie(page: httpx.Client, site: str) -> None:
    assert page.get("/api/v1/workflows/argo", headers={"Sec-Fetch-Site": site}).status_code == 401


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_the_cookie_alone_changes_nothing(argo: Argo, page: httpx.Client, headers: dict[str, str]) -> None:
    body = {"workflow": {"metadata": {"name": "sneaked"}, "spec": pod_spec("true")}}
    assert page.post("/api/v1/workflows/argo", json=body, headers=headers).status_code in (401, 403)
    assert argo.http.get("/workflows/argo/sneaked").status_code == 404


@pytest.mark.parametrize("own", ["Origin", "Sec-Fetch-Site"])
def test_the_page_itself_may_change(argo: Argo, page: httpx.Client, own: str) -> None:
    value = argo.server.url if own == "Origin" else "same-origin"
    body = {"workflow": {"metadata": {"generateName": "own-"}, "spec": pod_spec("true")}}
    assert page.post("/api/v1/workflows/argo", json=body, headers={own: value}).status_code == 200


@pytest.mark.parametrize("path", ["/", FIRST, "/page/overview", "/login"])
def test_answers_to_a_browser_hold_it_to_this_server(page: httpx.Client, path: str) -> None:
    headers = page.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(("attempt", "note"), [("0", ""), ("null", "its datastore was deleted or moved")])
def test_a_task_that_succeeded_has_stored_something(
    argo: Argo, page: httpx.Client, attempt: str, note: str
) -> None:
    lists = '"artifacts": [], "cards": []'
    folder = """$(printf %s "$ASKED" | sed 's/.*"folder": "\\([^"]*\\)".*/\\1/')"""
    program = f"""[ -z "$ASKED" ] || printf '{{"attempt": {attempt}, {lists}}}' > "{folder}/results.json\""""
    spec = pod_spec(program)
    template = next(each for each in spec["templates"] if "container" in each)
    template["inputs"] = {"parameters": [{"name": "step", "value": "start"}, {"name": "path", "value": ""}]}
    template["metadata"] = {"annotations": {RESULTS: "ASKED"}}
    metadata = {"generateName": "results-", "annotations": {"metaflow/flow_name": "AFlow"}}
    made = argo.call("POST", "/workflows/argo", {"workflow": {"metadata": metadata, "spec": spec}})
    name = made["metadata"]["name"]
    node = next(iter(argo.end(name)["status"]["nodes"]))
    assert note in page.get(f"/page/runs/argo/{name}/results", params={"id": node}).json()["note"]


@pytest.mark.parametrize("number", ["²", "9" * 30, "9" * 5_000])
def test_a_number_that_is_none_is_no_fault_of_the_server(argo: Argo, page: httpx.Client, number: str) -> None:
    name = argo.run(pod_spec("true"))
    node = next(iter(argo.end(name)["status"]["nodes"]))
    for path, query, status in (
        (f"runs/argo/{name}/results", {"id": f"{node}:{number}"}, 200),
        (f"runs/argo/{name}/card", {"id": node, "number": number}, 404),
        ("deployments/argo/none/changes", {"from": number, "to": "1"}, 400),
    ):
        assert page.get(f"/page/{path}", params=query).status_code == status


@pytest.mark.parametrize("name", ["nope.js", "..", "..%2f..%2froutes.py", "Main.js", "main.py"])
def test_there_are_no_other_files(page: httpx.Client, name: str) -> None:
    assert page.get(f"/page/static/{name}").status_code in (404, 501)


def test_its_files_name_no_other_server(page: httpx.Client) -> None:
    for file in (files("metaflow_hera.embedded.page") / "static").iterdir():
        path = "/" if file.name == "index.html" else f"/page/static/{file.name}"
        text = page.get(path).raise_for_status().text
        assert set(re.findall(r"https?:", text.replace(SVG, ""))) == set(), file.name


def groups(argo: Argo, name: str) -> dict[str, Any]:
    answer = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}").raise_for_status()
    return {group["path"]: group for group in answer.json()["groups"]}


def test_steps_are_shown_before_they_start(argo: Argo) -> None:
    pod = pod_spec("true")["templates"][0]
    tasks = [
        {"name": "one", "template": "main"},
        {"name": "two", "template": "main", "dependencies": ["one"]},
    ]
    spec = {"entrypoint": "all", "templates": [pod, {"name": "all", "dag": {"tasks": tasks}}]}
    name = argo.run({**spec, "suspend": True})
    assert list(groups(argo, name)) == ["one", "two"]
    assert groups(argo, name)["two"]["phases"] == {}


def test_a_foreach_is_one_line_and_its_failures_come_first(argo: Argo) -> None:
    name = argo.run(
        task_group_spec(
            "echo to {{inputs.parameters.item}}; test {{inputs.parameters.item}} != 7", list(range(12))
        )
    )
    argo.end(name)
    group = groups(argo, name)["group"]
    assert (group["phases"], group["total"], group["foreach"]) == ({"Succeeded": 11, "Failed": 1}, 12, True)
    url = f"{argo.server.url}/page/runs/argo/{name}"
    tasks = argo.http.get(f"{url}/tasks?path=group&limit=3").json()
    assert [task["label"] for task in tasks["tasks"]] == ["group(7:7)", "group(0:0)", "group(1:1)"]
    assert "exit code 1" in tasks["tasks"][0]["message"]
    more = argo.http.get(f"{url}/tasks?path=group&limit=3&offset=9").json()
    assert [task["label"] for task in more["tasks"]] == ["group(9:9)", "group(10:10)", "group(11:11)"]
    pod = tasks["tasks"][0]["pods"][0]["name"]
    with argo.http.stream("GET", f"/workflows/argo/{name}/{pod}/log?logOptions.container=main") as log:
        assert "to 7" in "".join(log.iter_text())
    failures = argo.http.get(url).json()["failures"]
    assert [failure["label"] for failure in failures] == ["group(7:7)"]
    one = argo.http.get(f"{url}/tasks?id={tasks['tasks'][0]['id']}").json()["tasks"]
    assert one == tasks["tasks"][:1]


def test_a_retried_task_whose_attempt_waits_for_a_place_waits(argo: Argo, tmp_path: Path) -> None:
    go = tmp_path / "go"
    hold = argo.run(
        task_group_spec(f"until test -e {go}; do sleep 0.05; done", list(range(os.cpu_count() or 1)))
    )
    spec = pod_spec("true", retryStrategy={"limit": 1})
    dag = {"name": "all", "dag": {"tasks": [{"name": "one", "template": "main"}]}}
    name = argo.run({"entrypoint": "all", "templates": [spec["templates"][0], dag]})
    argo.until(name, lambda workflow: pods(workflow))
    assert groups(argo, name)["one"]["phases"] == {"Pending": 1}
    # It does not run yet: no time passes for it.
    group = groups(argo, name)["one"]
    assert (group["started"], group["words"]) == (None, "Pending")
    (task,) = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}/tasks?path=one").json()["tasks"]
    assert group["bars"] == [task["attempts"]]
    assert [attempt[1:] for attempt in task["attempts"]] == [[None, None, "Pending"]]
    go.touch()
    argo.end(name)
    argo.end(hold)
    group = groups(argo, name)["one"]
    assert group["phases"] == {"Succeeded": 1}
    # What it has waited is told apart from what it has run.
    (((made, started, ended, _),),) = group["bars"]
    assert made <= started == group["started"] <= ended


def test_a_retried_task_is_one_task_with_its_attempts(argo: Argo) -> None:
    spec = pod_spec("echo {{retries}}; exit 1", retryStrategy={"limit": 1})
    dag = {"name": "all", "dag": {"tasks": [{"name": "one", "template": "main"}]}}
    name = argo.run({"entrypoint": "all", "templates": [spec["templates"][0], dag]})
    argo.end(name)
    assert groups(argo, name)["one"]["phases"] == {"Failed": 1}
    (task,) = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}/tasks?path=one").json()["tasks"]
    assert [pod["phase"] for pod in task["pods"]] == ["Failed", "Failed"]
    (first, second) = task["attempts"]
    assert first[2] <= second[0] <= second[1] <= second[2]
    assert groups(argo, name)["one"]["words"] == "Failed (2 attempts)"
    assert groups(argo, name)["one"]["bars"] == [[first, second]]
    assert "exit code 1" in task["message"]


def test_a_run_has_the_picture_of_its_flow(argo: Argo) -> None:
    """A workflow that is no flow's says that it has none."""
    graph = {"steps": {"start": ["end"], "end": []}}
    spec = {**pod_spec("true"), "workflowMetadata": {"annotations": {"metaflow/dag": json.dumps(graph)}}}
    template = {"metadata": {"name": "drawn"}, "spec": spec}
    argo.call("POST", "/workflow-templates/argo", {"template": template})
    submit = {"resourceKind": "WorkflowTemplate", "resourceName": "drawn"}
    name = argo.call("POST", "/workflows/argo/submit", submit)["metadata"]["name"]
    argo.end(name)
    picture = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}/graph").json()
    assert [step["name"] for step in picture["steps"]] == ["start", "end"]
    assert [(edge["from"], edge["to"]) for edge in picture["edges"]] == [("start", "end")]
    other = argo.run(pod_spec("true"))
    assert (
        "does not tell the graph"
        in argo.http.get(f"{argo.server.url}/page/runs/argo/{other}/graph").json()["missing"]
    )


def test_what_is_typed_into_the_form_is_checked(argo: Argo, page: httpx.Client) -> None:
    parameters = [{"name": name, "value": "1"} for name in ("count", "metaflow-run-tags")]
    notes = {"metaflow/parameters": json.dumps({"count": {"type": "int"}})}
    template = {
        "metadata": {"name": "typed", "annotations": notes},
        "spec": {**pod_spec("true"), "arguments": {"parameters": parameters}},
    }
    argo.call("POST", "/workflow-templates/argo", {"template": template})
    for text, misfits in (("2", {}), ("two", {"count": "It must be an int."})):
        answer = page.post(
            "/page/deployments/argo/typed/check",
            json={"values": {"count": text}},
            headers={"Origin": argo.server.url},
        )
        assert answer.json() == {"misfits": misfits}
    other = page.post("/page/deployments/argo/nope/check", json={}, headers={"Origin": argo.server.url})
    assert other.status_code == 404


def test_fans_inside_fans_are_one_line_each(argo: Argo) -> None:
    item = {"inputs": {"parameters": [{"name": "item"}]}}
    given = _item("{{item}}")
    pod = {**pod_spec("true")["templates"][0], "name": "pod", **item}
    inner = {"name": "inner", "template": "pod", "withItems": [1, 2, 3], **given}
    outer = {"name": "a", "template": "body", "withItems": ["x/y (z", "."], **given}
    templates = [
        pod,
        {"name": "body", "dag": {"tasks": [inner]}, **item},
        {"name": "all", "dag": {"tasks": [outer]}},
        {"name": "tidy", "dag": {"tasks": [{"name": "up", "template": "pod", **_item("1")}]}},
    ]
    name = argo.run({"entrypoint": "all", "onExit": "tidy", "templates": templates})
    argo.end(name)
    found = groups(argo, name)
    assert {path: (group["depth"], group["phases"], group["total"]) for path, group in found.items()} == {
        "a": (0, {"Succeeded": 2}, 2),
        "a/inner": (1, {"Succeeded": 6}, 6),
        "onExit": (0, {"Succeeded": 1}, 1),
        "onExit/up": (1, {"Succeeded": 1}, 1),
    }
    tasks = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}/tasks?path=a/inner&limit=4").json()[
        "tasks"
    ]
    assert [task["label"] for task in tasks[2:]] == ["a(0:x/y z) / inner(2:3)", "a(1:.) / inner(0:1)"]


def _item(value: str) -> dict[str, Any]:
    return {"arguments": {"parameters": [{"name": "item", "value": value}]}}


def test_a_run_that_is_retried_whole_has_the_same_lines(argo: Argo) -> None:
    pod = pod_spec("exit 1")["templates"][0]
    dag = {
        "name": "all",
        "dag": {"tasks": [{"name": "one", "template": "main"}]},
        "retryStrategy": {"limit": 1},
    }
    name = argo.run({"entrypoint": "all", "templates": [pod, dag]})
    argo.end(name)
    assert {path: group["phases"] for path, group in groups(argo, name).items()} == {"one": {"Failed": 2}}


def widen(argo: Argo, name: str) -> None:
    """Make a foreach of a run very wide, by hand: its tasks are copies of one."""
    workflow = argo.get(name)
    nodes = workflow["status"]["nodes"]
    task = next(node for node in nodes.values() if node["type"] == "Pod")
    rows = []
    for number in range(len(nodes), WIDE):
        phase = "Failed" if number % 1000 == 999 else "Succeeded"
        shown = f"group({number}:{number})"
        one = {
            **task,
            "id": f"{name}-w{number}",
            "name": f"{name}.{shown}",
            "displayName": shown,
            "phase": phase,
        }
        rows.append((workflow["metadata"]["uid"], one["id"], dump(one)))
    with sqlite3.connect(argo.home / "argo.db", timeout=SECONDS) as db:
        db.executemany("INSERT INTO nodes VALUES (?,?,?)", rows)
    db.close()


def test_a_wide_run_is_sent_as_little(argo: Argo) -> None:
    name = argo.run(task_group_spec("true", ["a"]))
    argo.end(name)
    widen(argo, name)
    answer = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}")
    assert len(answer.content) < 20_000
    group = {group["path"]: group for group in answer.json()["groups"]}["group"]
    assert group["total"] > WIDE - 10
    assert len(group["bins"]) == 60
    tasks = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}/tasks?path=group&limit=100000")
    assert len(tasks.json()["tasks"]) == 100
    assert [task["phase"] for task in tasks.json()["tasks"][:11]] == ["Failed"] * 10 + ["Succeeded"]


def states(stream: httpx.Response) -> Iterator[Any]:
    """The states of a stream of events."""
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_a_run_is_followed(argo: Argo, page: httpx.Client) -> None:
    gate = argo.home / "gate"
    name = argo.run(pod_spec(f"until test -e {gate}; do sleep 0.05; done"))
    with page.stream("GET", f"/page/events/argo/{name}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        found = states(stream)
        for state in found:
            if state["run"]["phase"] == "Running":
                gate.touch()
            if state["run"]["finished"]:
                break
        assert state["run"]["phase"] == "Succeeded"
        argo.call("DELETE", f"/workflows/argo/{name}")
        assert list(found)[-1] == {}  # of the event that says that it is gone


def test_new_deployments_and_runs_are_told(argo: Argo, page: httpx.Client) -> None:
    spec = {
        **pod_spec("true"),
        "arguments": {"parameters": [{"name": "a", "value": "1", "description": "A."}]},
    }
    with page.stream("GET", "/page/events?namespace=argo&template=told") as stream:
        found = states(stream)
        assert next(found)["runs"] == []
        template = {"metadata": {"name": "told"}, "spec": spec}
        argo.call("POST", "/workflow-templates/argo", {"template": template})
        options = {"resourceKind": "WorkflowTemplate", "resourceName": "told"}
        argo.call("POST", "/workflows/argo/submit", options)
        state = next(state for state in found if state["runs"] and state["runs"][0]["finished"])
    deployment = next(each for each in state["deployments"] if each["name"] == "told")
    (parameter,) = deployment["parameters"]
    assert parameter == {
        "name": "a",
        "value": "1",
        "type": "",
        "on": False,
        "required": False,
        "encoded": False,
        "description": "A.",
        "enum": [],
    }


def test_a_suspended_run_says_so(argo: Argo) -> None:
    name = argo.run({**pod_spec("true"), "suspend": True})
    run = argo.http.get(f"{argo.server.url}/page/runs/argo/{name}").json()["run"]
    assert run["waits"]
    argo.call("PUT", f"/workflows/argo/{name}/resume", {})
    argo.end(name)


def test_no_secret_is_in_the_log(argo: Argo, page: httpx.Client) -> None:
    url = opening.one_time_url(argo.server)
    httpx.get(url, **PLAIN)
    secrets = [url.split("code=")[1], argo.server.token, (argo.home / "session").read_text().strip()]
    log = (argo.home / "server.log").read_text()
    for secret in secrets:
        assert secret not in log
        assert secret not in page.get("/page/overview").text


def template(command: str, **notes: str) -> dict[str, Any]:
    """A template of one pod, with annotations."""
    spec = pod_spec(command)
    return {"metadata": {"name": "changing", "annotations": notes}, "spec": spec}


def test_what_changed_between_two_versions_of_a_deployment(argo: Argo, page: httpx.Client) -> None:
    token = "metaflow/production_token"
    first = {token: "secret-1", "metaflow/owner": "ada", "metaflow/deployment_version": "1"}
    made = argo.call("POST", "/workflow-templates/argo", {"template": template("echo one", **first)})
    second = template("echo two", **{token: "secret-2"})
    second["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    argo.call("PUT", "/workflow-templates/argo/changing", {"template": second})
    new, old = page.get("/page/deployments/argo/changing/versions").json()["versions"]
    assert (old["version"], old["by"]) == ("1", "ada")
    assert (new["version"], new["by"]) == (None, None)
    assert old["at"] <= new["at"]
    address = "/page/deployments/argo/changing/changes"
    answer = page.get(address, params={"from": old["revision"], "to": new["revision"]})
    lines = answer.json()["lines"]
    assert [line for line in lines if line.startswith("-") and "echo" in line] != []
    assert any(line.startswith("+") and "echo two" in line for line in lines)
    assert "secret" not in answer.text
    same = page.get(address, params={"from": old["revision"], "to": old["revision"]})
    assert same.json()["lines"] == []
    assert page.get(address, params={"from": old["revision"], "to": 0}).status_code == 404
    assert page.get(address, params={"from": "x"}).status_code == 400
    argo.call("DELETE", "/workflow-templates/argo/changing")
    assert page.get("/page/deployments/argo/changing/versions").json() == {"versions": []}


def test_as_many_versions_are_kept_as_one_can_look_through(argo: Argo, page: httpx.Client) -> None:
    found = argo.call("POST", "/workflow-templates/argo", {"template": template("echo 0")})
    for number in range(REVISIONS):
        changed = template(f"echo {number + 1}")
        changed["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        found = argo.call("PUT", "/workflow-templates/argo/changing", {"template": changed})
    versions = page.get("/page/deployments/argo/changing/versions").json()["versions"]
    assert len(versions) == REVISIONS
    assert versions[0]["revision"] == int(found["metadata"]["resourceVersion"])
    argo.call("DELETE", "/workflow-templates/argo/changing")
