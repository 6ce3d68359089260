"""What the page finds: runs by words, state and time, next starts, what a run is made of, events."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from twin import HOST, TOKEN, Twin

from metaflow_hera.contract.values import encode
from metaflow_hera.embedded.page.pathspecs import task_of
from metaflow_hera.graph.tasks import TaskKey

ENV = {
    "METAFLOW_FLOW_NAME": "AFlow",
    "METAFLOW_FLOW_FILENAME": "a flow.py",
    "METAFLOW_DEFAULT_DATASTORE": "local",
    "METAFLOW_DATASTORE_SYSROOT_LOCAL": "/data",
    "METAFLOW_HERA_TAGS": '["team:x"]',
}


def asked(twin: Twin, path: str, **query: str) -> requests.Response:
    """The answer to a call of the page's own."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount(HOST, twin._direct)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return session.get(f"{HOST}page/{path}", params=query, headers=headers)


def page(twin: Twin, path: str, **query: str) -> Any:
    """What the page's own call answers."""
    answer = asked(twin, path, **query)
    assert answer.ok, answer.text
    return answer.json()


def deploy(twin: Twin, name: str) -> None:
    """A deployment of a flow, with a schedule."""
    container = {"image": "x", "command": ["true"], "env": [{"name": k, "value": v} for k, v in ENV.items()]}
    about = {"name": name, "namespace": "default"}
    spec = {
        "entrypoint": "main",
        "arguments": {
            "parameters": [
                {"name": "metaflow-run-tags", "value": "[]"},
                {"name": "metaflow-code-package", "value": "/data/package"},
                {"name": "alpha", "value": "0.5"},
            ]
        },
        "workflowMetadata": {"annotations": {"metaflow/flow_name": "AFlow", "metaflow/owner": "ann"}},
        "templates": [{"name": "main", "container": container}],
    }
    template = {"metadata": about, "spec": spec}
    assert twin.raw("POST", "workflow-templates/default", {"template": template}).ok


def start(twin: Twin, template: str, **parameters: str) -> str:
    """Start a run; its name."""
    options = {"parameters": [f"{name.replace('_', '-')}={value}" for name, value in parameters.items()]}
    body = {"resourceKind": "WorkflowTemplate", "resourceName": template, "submitOptions": options}
    made = twin.raw("POST", "workflows/default/submit", {"namespace": "default", **body})
    assert made.ok, made.text
    return str(made.json()["metadata"]["name"])


@pytest.fixture
def runs(twin: Twin, tmp_path: Path) -> dict[str, str]:
    """Four runs, by what is special about them."""
    for name in ("one", "two"):
        deploy(twin, name)
    found = {
        "failed": start(twin, "one"),
        "tagged": start(twin, "one", metaflow_run_tags='["special"]'),
        "other": start(twin, "two", alpha=encode("$ 0.7")),
        "old": start(twin, "one"),
    }
    twin.finish(found["failed"], exit_code=1)
    twin.finish(found["old"])
    with closing(sqlite3.connect(tmp_path / "argo" / "argo.db")) as database, database:
        database.execute("UPDATE workflows SET created=created-7200 WHERE name=?", (found["old"],))
    assert twin.raw("PUT", f"workflows/default/{found['tagged']}/suspend", {}).ok
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "failed tagged other old"),
        ({"q": "special"}, "tagged"),
        ({"q": "ALPHA=$ TWO"}, "other"),
        ({"q": "alpha=0.5 aflow"}, "failed tagged old"),
        ({"q": "team:x", "state": "Failed"}, "failed"),
        ({"q": "nobody"}, ""),
        ({"state": "Suspended"}, "tagged"),
        ({"state": "Running"}, "other"),
        ({"state": "Succeeded"}, "old"),
        ({"hours": "1"}, "failed tagged other"),
        ({"namespace": "default", "template": "one", "hours": "3"}, "failed tagged old"),
    ],
)
def test_runs_are_found(twin: Twin, runs: dict[str, str], query: dict[str, str], expected: str) -> None:
    found = {run["name"] for run in page(twin, "overview", **query)["runs"]}
    assert found == {runs[name] for name in expected.split()}


def test_a_run_is_found_by_its_id(twin: Twin, runs: dict[str, str]) -> None:
    found = page(twin, "overview", q=f"argo-{runs['other']}")["runs"]
    assert [run["name"] for run in found] == [runs["other"]]


def test_hours_that_are_none_are_refused(twin: Twin) -> None:
    for hours in ("nan", "-1", "soon"):
        with pytest.raises(AssertionError, match="hours must be a number"):
            page(twin, "overview", hours=hours)


def test_a_deployment_tells_its_next_starts(twin: Twin) -> None:
    deploy(twin, "one")
    for name, suspend in (("one", False), ("one-2", True)):
        spec = {
            "schedules": ["0 6 * * *"],
            "timezone": "UTC",
            "suspend": suspend,
            "workflowSpec": {"workflowTemplateRef": {"name": "one"}},
        }
        cron = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        made = twin.raw("POST", "cron-workflows/default", {"cronWorkflow": cron})
        assert made.ok, made.text
    first, second = page(twin, "overview", namespace="default", template="one")["schedules"]
    assert (first["expressions"], first["zone"], first["suspended"]) == (["0 6 * * *"], "UTC", False)
    assert [at % 86400 for at in first["starts"]] == [6 * 3600] * 3
    assert [b - a for a, b in zip(first["starts"], first["starts"][1:], strict=False)] == [86400.0] * 2
    assert (second["suspended"], second["starts"]) == (True, [])
    assert page(twin, "overview", namespace="default", template="two")["schedules"] == []


def test_the_details_of_a_run(twin: Twin, runs: dict[str, str]) -> None:
    name = runs["tagged"]
    found = page(twin, f"runs/default/{name}/details")
    facts = {each["name"]: each["value"] for each in found["facts"]}
    assert facts == {
        "Flow": "AFlow",
        "Run id": f"argo-{name}",
        "Owner": "ann",
        "Tags": "team:x, special",
        "Code package": "/data/package",
        "Datastore": "local /data",
    }
    commands = [each["text"] for each in found["commands"]]
    assert commands == [
        "export METAFLOW_DATASTORE_SYSROOT_LOCAL=/data METAFLOW_DEFAULT_DATASTORE=local",
        f'from metaflow import Run, namespace; namespace(None); run = Run("AFlow/argo-{name}")',
        f"python 'a flow.py' resume --origin-run-id argo-{name}",
        f"mfhera status argo-{name}",
        f"mfhera logs argo-{name}",
    ]
    text = page(twin, f"runs/default/{name}/details", manifest="")["yaml"]
    assert "metaflow/owner: ann" in text
    assert "- name: METAFLOW_FLOW_NAME\n" in text


def test_the_details_of_a_run_with_new_code(twin: Twin) -> None:
    """`retry --with-new-code` gives a run a package of its own."""
    deploy(twin, "one")
    name = start(twin, "one", metaflow_code_package="/data/new")
    facts = {each["name"]: each["value"] for each in page(twin, f"runs/default/{name}/details")["facts"]}
    assert (facts["Version"], facts["Code package"]) == ("with new code", "/data/new")


@pytest.mark.parametrize("more", [{}, {"text": "x" * 20_000}])
def test_what_came_is_listed(twin: Twin, more: dict[str, str]) -> None:
    body = {"payload": {"name": "hello", **more}}
    assert twin.raw("POST", "events/default/", body).ok
    (event,) = page(twin, "received")["events"]
    assert (event["name"], event["taken"], event["started"]) == ("hello", False, [])
    assert json.dumps(body, separators=(",", ":")).startswith(event["body"])
    assert more or json.loads(event["body"]) == body


def test_that_a_card_is_gone_is_said_in_its_frame(twin: Twin) -> None:
    deploy(twin, "aflow")
    name = start(twin, "aflow")
    for number in ("0", "²"):
        answer = asked(twin, f"runs/default/{name}/card", id="nobody", number=number)
        assert answer.status_code == 404
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "item", "key"),
    [
        ("", None, TaskKey("train")),
        ("-0-3", None, TaskKey("train", (0, 3))),
        ("-2", 7, TaskKey("train", (2, 7))),
    ],
)
def test_the_id_of_a_task_follows_from_its_node(path: str, item: int | None, key: TaskKey) -> None:
    inputs = [{"name": "step", "value": "train"}, {"name": "path", "value": path}]
    assert task_of({"inputs": {"parameters": inputs}}, item) == (key.step, key.task_id)
    assert task_of({"inputs": {"parameters": inputs[:1]}}) is None
