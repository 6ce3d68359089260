"""A body in which anything is of another type is refused in Argo's words, by every call."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from test_twin import TEMPLATE
from twin import Twin

from metaflow_hera.argo.starting import Start, submitted

ODD = (None, True, 10**30, "x", [1], {"a": 1}, [None])
PYTHON = re.compile(r"^\w*(Error|Exception): ")
SPEC = {"workflowTemplateRef": {"name": "two"}}
CRON = {
    "metadata": {"name": "nightly", "labels": {"a": "b"}},
    "spec": {
        "schedules": ["0 3 * * *"],
        "timezone": "UTC",
        "suspend": True,
        "concurrencyPolicy": "Allow",
        "startingDeadlineSeconds": 1,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "workflowMetadata": {"labels": {"a": "b"}},
        "workflowSpec": SPEC,
    },
    "status": {"succeeded": 1},
}
SENSOR = {
    "metadata": {"name": "sensor"},
    "spec": {
        "dependencies": [{"name": "d", "eventSourceName": "s", "eventName": "e"}],
        "triggers": [
            {
                "template": {
                    "name": "t",
                    "argoWorkflow": {"operation": "submit", "source": {"resource": {"spec": SPEC}}},
                }
            }
        ],
    },
}
OPTIONS = {
    "name": "n",
    "generateName": "g-",
    "entryPoint": "main",
    "parameters": ["x=1"],
    "labels": "a=b",
    "annotations": "a=b",
    "serviceAccount": "s",
    "priority": 1,
    "dryRun": True,
    "serverDryRun": True,
}
CALLS: list[tuple[str, str, Any]] = [
    (
        "POST",
        "workflows/default/submit",
        {"resourceKind": "WorkflowTemplate", "resourceName": "two", "submitOptions": OPTIONS},
    ),
    (
        "POST",
        "workflows/default",
        {"workflow": {"metadata": {"name": "w"}, "spec": SPEC}, "serverDryRun": True},
    ),
    ("POST", "workflow-templates/default/lint", {"template": {"metadata": {"name": "t"}, "spec": SPEC}}),
    ("PUT", "workflow-templates/default/two", {"name": "two", "template": TEMPLATE}),
    ("POST", "cron-workflows/default", {"namespace": "default", "cronWorkflow": CRON}),
    ("PUT", "cron-workflows/default/nightly", {"cronWorkflow": CRON}),
    ("PUT", "cron-workflows/default/nightly/suspend", {"name": "nightly", "namespace": "default"}),
    ("POST", "sensors/default", {"sensor": SENSOR}),
    ("PUT", "sensors/default/sensor", {"sensor": SENSOR}),
    (
        "PUT",
        "workflows/default/RUN/retry",
        {"name": "RUN", "restartSuccessful": False, "parameters": ["x"]},
    ),
    ("PUT", "workflows/default/RUN/resubmit", {"memoized": False, "parameters": ["x=1"]}),
    ("PUT", "workflows/default/RUN/stop", {"nodeFieldSelector": "", "message": "m"}),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from paths(part, (*path, key))


def replaced(body: Any, path: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(body)
    part = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = odd
    return changed


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=lambda value: str(value)[:40])
def test_no_body_breaks_the_server(twin: Twin, method: str, path: str, body: Any) -> None:
    twin.client.create_template(TEMPLATE)
    run = submitted(twin.client, Start("two"))["metadata"]["name"]
    for place in paths(body):
        for odd in ODD:
            answer = twin.raw(method, path.replace("RUN", run), replaced(body, place, odd))
            assert not (answer.status_code == 500 and PYTHON.match(answer.json()["message"])), (place, odd)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("parameters", "x=1", "string into Go struct field submitOptions.parameters of type []string"),
        ("parameters", [1], "number into Go struct field submitOptions.parameters[0] of type string"),
        ("labels", {"a": "b"}, "object into Go struct field submitOptions.labels of type string"),
        ("priority", 2**31, f"number {2**31} into Go struct field submitOptions.priority of type int32"),
    ],
)
def test_an_option_of_another_type_is_refused(twin: Twin, option: str, value: Any, words: str) -> None:
    twin.client.create_template(TEMPLATE)
    body = {"resourceKind": "WorkflowTemplate", "resourceName": "two", "submitOptions": {option: value}}
    answer = twin.raw("POST", "workflows/default/submit", body)
    assert answer.status_code == 400
    assert answer.json() == {"code": 3, "message": f"json: cannot unmarshal {words}"}
