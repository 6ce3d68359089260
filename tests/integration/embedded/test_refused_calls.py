"""What calls that fail are answered, as a real Argo 4.1.2 answered them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import DATA, Argo, pod_spec

REFUSALS = json.loads((DATA / "recordings" / "refusals.json").read_text())
CALLS = REFUSALS["calls"]

TWICE = {"template": {"metadata": {"name": "twice"}, "spec": pod_spec("true")}}
NEEDS = {
    "metadata": {"name": "needs"},
    "spec": {**pod_spec("true"), "arguments": {"parameters": [{"name": "need"}]}},
}


def submit(name: str, *parameters: str) -> dict[str, Any]:
    return {
        "resourceKind": "WorkflowTemplate",
        "resourceName": name,
        "submitOptions": {"parameters": list(parameters)},
    }


def cron(schedule: str, zone: str = "UTC") -> dict[str, Any]:
    spec = {"schedules": [schedule], "timezone": zone, "workflowSpec": pod_spec("true")}
    return {"cronWorkflow": {"metadata": {"name": "bad"}, "spec": spec}}


BODIES: dict[str, Any] = {
    "create template": TWICE,
    "create template twice": TWICE,
    "update template without resourceVersion": TWICE,
    "submit missing template": submit("nope"),
    "submit without required parameter": submit("needs"),
    "submit unknown parameter": submit("needs", "need=1", "other=2"),
    "submit malformed parameter": submit("needs", "need"),
    "retry missing": {},
    "retry succeeded": {},
    "resume not suspended": {},
    "suspend ended": {},
    "terminate ended": {},
    "bad cron": cron("61 * * * *"),
    "bad time zone": cron("0 0 * * *", "Mars/X"),
    "malformed json": '{"workflow": ',
}


@pytest.fixture(scope="module")
def prepared(argo: Argo) -> Argo:
    """A server with what the recorded calls found there."""
    argo.call("POST", "/workflow-templates/argo", {"template": NEEDS})
    argo.end(argo.run(pod_spec("true"), "dag-diamond"))
    return argo


NOT_ALL = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def test_calls_are_answered_as_recorded(prepared: Argo) -> None:
    wrong = {}
    for title, (method, path, status, code, message) in CALLS.items():
        body = BODIES.get(title)
        content = body if isinstance(body, str) else None if body is None else json.dumps(body)
        answer = prepared.http.request(method, path, content=content)
        expected = None if code is None else {"code": code, "message": message}
        if answer.status_code != status or expected not in (None, answer.json()):
            wrong[title] = (answer.status_code, answer.text, expected)
    assert not wrong


@pytest.mark.parametrize("case", [name for name in REFUSALS if name != "calls"])
def test_an_object_is_refused_as_recorded(argo: Argo, case: str) -> None:
    recorded = REFUSALS[case]
    meta = {"generateName": "refused-"}
    for call, path, body in (
        ("lint", "/workflows/argo/lint", {"workflow": {"metadata": meta, "spec": recorded["spec"]}}),
        ("create", "/workflows/argo", {"workflow": {"metadata": meta, "spec": recorded["spec"]}}),
        (
            "create_template",
            "/workflow-templates/argo",
            {"template": {"metadata": meta, "spec": recorded["spec"]}},
        ),
    ):
        status, code, message = recorded[call]
        answer = argo.http.post(path, json=body)
        assert answer.status_code == status, (call, answer.text)
        if code is not None:
            assert answer.json() == {"code": code, "message": message}


def test_an_object_that_no_cluster_would_store_is_refused(argo: Argo) -> None:
    large = pod_spec("true # " + "x" * 1_600_000)
    answer = argo.http.post(
        "/workflows/argo", json={"workflow": {"metadata": {"name": "large"}, "spec": large}}
    )
    assert (answer.status_code, answer.json()["code"]) == (500, 13)
    assert answer.json()["message"] == "etcdserver: request is too large"
    answer = argo.http.post("/workflows/argo", content=b'{"a": "' + b"x" * 4_000_000 + b'"}')
    assert answer.status_code == 413


def test_annotations_that_no_cluster_would_store_are_refused(argo: Argo) -> None:
    """Those that a workflow gets from its spec too: a cluster would store nothing of what it does."""
    long = {"long": "x" * 262_141}
    spec = pod_spec("true")
    for name, meta, metadata in (("own", long, {}), ("both", {"a": ""}, long)):
        answer = argo.http.post(
            "/workflows/argo",
            json={
                "workflow": {
                    "metadata": {"name": name, "annotations": meta},
                    "spec": {**spec, "workflowMetadata": {"annotations": metadata}},
                }
            },
        )
        assert answer.status_code == 400, name
        assert answer.json()["message"] == (
            f'Workflow.argoproj.io "{name}" is invalid: '
            f"[metadata.annotations: Too long: may not be more than 262144 bytes, {NOT_ALL}]"
        )


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (
            {"name": "a", "labels": {"k": "b c"}},
            'metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of '
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
        (
            {"name": "a", "labels": {"k": "x" * 70}},
            f'metadata.labels: Invalid value: "{"x" * 70}": must be no more than 63 characters',
        ),
        (
            {"name": "a", "annotations": {"b c": "d"}},
            'metadata.annotations: Invalid value: "b c": name part must consist of alphanumeric characters, '
            "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
            "'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
        ({}, f"[metadata.name: Required value: name or generateName is required, {NOT_ALL}]"),
    ],
)
def test_metadata_is_refused_in_the_words_of_kubernetes(
    argo: Argo, metadata: dict[str, Any], why: str
) -> None:
    """As Argo 4.1.2 with its complete CRDs hands them on."""
    body = {"template": {"metadata": metadata, "spec": pod_spec("true")}}
    answer = argo.http.post("/workflow-templates/argo", json=body)
    name = metadata.get("name", "")
    assert (answer.status_code, answer.json()) == (
        400,
        {"code": 3, "message": f'WorkflowTemplate.argoproj.io "{name}" is invalid: {why}'},
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [("ownerReference", {"name": "x"}), ("artifacts", ["x"]), ("podPriorityClassName", "x")],
)
def test_an_option_without_effect_is_refused_by_name(prepared: Argo, option: str, value: object) -> None:
    body = submit("needs", "need=1")
    body["submitOptions"][option] = value
    answer = prepared.http.post("/workflows/argo/submit", json=body)
    assert answer.status_code == 501
    assert option in answer.json()["message"]
