"""What starts workflows, over REST as Hera's services call it: sensors and their events, cron workflows."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from harness import PLAIN, SECONDS
from hera.events.models import CreateSensorRequest, Item, Sensor, UpdateSensorRequest
from hera.events.service import EventsService
from hera.exceptions import AlreadyExists, HeraException, NotFound

from .conftest import Argo, pod_spec

TEMPLATE = "says"


def service(argo: Argo) -> EventsService:
    return EventsService(host=f"{argo.server.url}/", token=argo.server.token, namespace="argo")


def with_template(argo: Argo) -> None:
    """A template that notes what it was given."""
    spec = pod_spec("echo {{workflow.parameters.word}}")
    spec["arguments"] = {"parameters": [{"name": "word", "value": "none"}]}
    answer = argo.http.post(
        "/workflow-templates/argo", json={"template": {"metadata": {"name": TEMPLATE}, "spec": spec}}
    )
    assert answer.status_code in (200, 409), answer.text


def sensor(name: str, *events: str, **trigger: Any) -> dict[str, Any]:
    """A sensor that starts the template with the word of the first event."""
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": f"{name}-"},
        "spec": {
            "arguments": {"parameters": [{"name": "word", "value": "default"}]},
            "workflowTemplateRef": {"name": TEMPLATE},
        },
    }
    return {
        "metadata": {"name": name, "namespace": "argo"},
        "spec": {
            "dependencies": [
                {
                    "name": event,
                    "eventSourceName": "webhook",
                    "eventName": "any",
                    "filters": {
                        "data": [{"path": "body.payload.name", "type": "string", "value": [f"^{event}$"]}]
                    },
                }
                for event in events
            ],
            "triggers": [
                {
                    "template": {
                        "name": "start",
                        "argoWorkflow": {
                            "operation": "submit",
                            "source": {"inline": json.dumps(workflow)},
                            "parameters": [
                                {
                                    "src": {"dependencyName": events[0], "dataKey": "body.payload.word"},
                                    "dest": "spec.arguments.parameters.0.value",
                                }
                            ],
                        },
                        **trigger,
                    }
                }
            ],
        },
    }


def started(argo: Argo, name: str) -> list[str]:
    """The workflows that a sensor has started."""
    query = f"listOptions.labelSelector=events.argoproj.io/sensor={name}&fields=items.metadata"
    found = argo.call("GET", f"/workflows/argo?{query}")["items"] or ()
    return [each["metadata"]["name"] for each in found]


def create(argo: Argo, body: dict[str, Any]) -> Any:
    return service(argo).create_sensor(
        CreateSensorRequest(namespace="argo", sensor=Sensor.model_validate(body))
    )


def send(argo: Argo, name: str, **payload: Any) -> None:
    service(argo).receive_event("anything", Item(root={"name": name, "payload": {"name": name, **payload}}))


def test_the_life_of_a_sensor(argo: Argo) -> None:
    client = service(argo)
    made = create(argo, sensor("life", "a"))
    assert made.metadata.uid
    with pytest.raises(AlreadyExists):
        create(argo, sensor("life", "a"))
    found = client.get_sensor("life")
    assert [each.metadata.name for each in client.list_sensors().items] == ["life"]
    found.spec.dependencies[0].name = "other"
    found.spec.triggers[0].template.argo_workflow.parameters[0].src.dependency_name = "other"
    changed = client.update_sensor("life", UpdateSensorRequest(name="life", namespace="argo", sensor=found))
    assert changed.metadata.generation == 2
    with pytest.raises(HeraException):  # the version that was read first
        client.update_sensor("life", UpdateSensorRequest(name="life", namespace="argo", sensor=found))
    client.delete_sensor("life")
    for call in (client.get_sensor, client.delete_sensor):
        with pytest.raises(NotFound):
            call("life")


def test_an_event_starts_a_workflow_of_the_template(argo: Argo) -> None:
    with_template(argo)
    create(argo, sensor("words", "word-said"))
    send(argo, "word-whispered", word="x")
    assert started(argo, "words") == []
    send(argo, "word-said", word="hello {{workflow.name}}")
    (name,) = started(argo, "words")
    workflow = argo.end(name)
    assert workflow["status"]["phase"] == "Succeeded"
    assert workflow["metadata"]["labels"]["events.argoproj.io/trigger"] == "start"
    assert argo.logs(name) == [f"hello {name}"]  # Argo expands what a value holds


def test_an_event_that_was_answered_is_not_lost(own_argo: Argo) -> None:
    """The server is killed at once after each answer."""
    with_template(own_argo)
    create(own_argo, sensor("both", "one", "two"))
    for event in ("one", "two"):
        send(own_argo, event, word="kept")
        own_argo.kill()
        own_argo.start()
    (name,) = started(own_argo, "both")
    own_argo.end(name)
    assert own_argo.logs(name) == ["kept"]


def test_what_cannot_be_started_harms_nobody(argo: Argo) -> None:
    with_template(argo)
    bad = sensor("bad", "broken")
    source = bad["spec"]["triggers"][0]["template"]["argoWorkflow"]["source"]
    source["inline"] = source["inline"].replace(TEMPLATE, "absent")
    create(argo, bad)
    create(argo, sensor("good", "broken"))
    send(argo, "broken")
    assert started(argo, "bad") == []
    assert len(started(argo, "good")) == 1


def test_events_need_the_token(argo: Argo) -> None:
    for path in ("/api/v1/events/argo/x", "/webhook", "/webhook/argo", "/webhook/guess/argo"):
        answer = httpx.post(f"{argo.server.url}{path}", json={}, **PLAIN, timeout=SECONDS)
        assert answer.status_code == 401, path
    foreign = {"Origin": "https://example.com"}
    assert (
        httpx.post(argo.server.events_url, json={}, headers=foreign, **PLAIN, timeout=SECONDS).status_code
        == 403
    )
    assert httpx.post(argo.server.events_url, json={}, **PLAIN, timeout=SECONDS).status_code == 200
    assert httpx.get(argo.server.events_url, **PLAIN, timeout=SECONDS).status_code == 501


def _template(spec: Any) -> Any:
    return spec["triggers"][0]["template"]


def _parameter(spec: Any) -> Any:
    return _template(spec)["argoWorkflow"]["parameters"][0]


def _first(spec: Any) -> Any:
    return spec["dependencies"][0]


REFUSED: dict[str, tuple[Any, str]] = {
    "no trigger": (lambda spec: spec.update(triggers=[]), "no triggers found"),
    "no dependency": (lambda spec: spec.update(dependencies=[]), "no event dependencies found"),
    "twice": (lambda spec: spec["dependencies"].append(dict(_first(spec))), "defined more than once"),
    "script": (lambda spec: _first(spec).update(filters={"script": "x"}), "dependencies[0].filters.script"),
    "http": (lambda spec: _template(spec).update(http={"url": "x"}), "template.http is not implemented"),
    "condition": (lambda spec: _template(spec).update(conditions="a && b"), "unknown dependency b"),
    "operation": (
        lambda spec: _template(spec)["argoWorkflow"].update(operation="stop"),
        "operation stop is not implemented",
    ),
    "source": (
        lambda spec: _template(spec)["argoWorkflow"].update(source={"inline": "kind: Pod"}),
        "only the creation of a Workflow",
    ),
    "function": (
        lambda spec: _parameter(spec)["src"].update(dataTemplate='{{ env "HOME" }}'),
        'function "env" is not implemented',
    ),
    "path": (lambda spec: _parameter(spec).update(dest="spec.*"), "the path spec.* is not implemented"),
    "reset": (
        lambda spec: _template(spec).update(conditionsReset=[{"byTime": {"cron": "x"}}]),
        "expected exactly 5 fields",
    ),
    "pattern": (lambda spec: _first(spec)["filters"]["data"][0].update(value=["("]), "error parsing regexp"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_sensor_that_is_refused(argo: Argo, case: str) -> None:
    change, words = REFUSED[case]
    body = sensor("refused", "a")
    change(body["spec"])
    answer = argo.http.post("/sensors/argo", json={"sensor": body})
    assert answer.status_code == 400
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"concurrencyPolicy": "Never"}, "'Never' is not a valid concurrencyPolicy"),
        ({"startingDeadlineSeconds": -1}, "startingDeadlineSeconds must be positive"),
        ({"timezone": "Mars/Base"}, "unknown time zone Mars/Base"),
        ({"schedules": ["0 0 * * 7"]}, "above maximum (6)"),
        ({"schedules": []}, "at least one schedule"),
        ({"stopStrategy": {"expression": "true"}}, "spec.stopStrategy is not implemented"),
        ({"when": "true"}, "spec.when is not implemented"),
    ],
)
def test_a_cron_workflow_that_is_refused(argo: Argo, more: dict[str, Any], words: str) -> None:
    spec = {"schedules": ["0 * * * *"], "workflowSpec": pod_spec("true"), **more}
    body = {"cronWorkflow": {"metadata": {"name": "refused"}, "spec": spec}}
    answer = argo.http.post("/cron-workflows/argo", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_a_cron_workflow_fires_and_is_suspended(argo: Argo) -> None:
    spec = {"schedules": ["@every 1s"], "workflowSpec": pod_spec("true"), "successfulJobsHistoryLimit": 2}
    argo.call("POST", "/cron-workflows/argo", {"cronWorkflow": {"metadata": {"name": "often"}, "spec": spec}})

    def children() -> list[dict[str, Any]]:
        query = "listOptions.labelSelector=workflows.argoproj.io/cron-workflow=often"
        return list(argo.call("GET", f"/workflows/argo?{query}")["items"] or ())

    def cron() -> Any:
        return argo.call("GET", "/cron-workflows/argo/often")

    argo.wait(lambda: cron()["status"]["succeeded"] >= 4)
    argo.call("PUT", "/cron-workflows/argo/often/suspend")
    argo.wait(lambda: not cron()["status"]["active"])
    assert len(children()) == 2
    done = cron()["status"]["succeeded"]
    last = cron()["status"]["lastScheduledTime"]
    argo.call("PUT", "/cron-workflows/argo/often/resume")
    argo.wait(lambda: cron()["status"]["succeeded"] > done)
    assert cron()["status"]["lastScheduledTime"] > last
    argo.call("DELETE", "/cron-workflows/argo/often")
