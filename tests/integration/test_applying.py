"""Plans carried out at a real server: what is refused leaves all as it was, and races are settled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from metaflow_hera import __version__
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.embedded.local import launch
from metaflow_hera.errors import ArgoConflict, ArgoError, ArgoNotFound, UsageError
from metaflow_hera.operations.applying import apply, remove
from metaflow_hera.operations.plan import Plan, Present, plan_change, plan_deployment, plan_removal
from metaflow_hera.operations.present import read, with_left_sensor

JSON = dict[str, Any]
MALFORMED = "61 * * * *"
KEPT = ("name", "namespace", "labels", "annotations")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoClient]:
    home = tmp_path_factory.mktemp("argo")
    server = launch.start(home, __version__)
    yield ArgoClient(Target(f"{server.url}/", "argo", server.token, embedded=True))
    launch.stop(home)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A deployment of the test's own."""
    return str(request.node.name).removeprefix("test_").replace("_", "-")[:40].strip("-")


def template(name: str, version: str, *, sensor: bool = False) -> JSON:
    notes = {"metaflow/version": version}
    if sensor:
        notes |= {"metaflow/sensor_name": name, "metaflow/sensor_namespace": "argo"}
    container = {"image": "busybox", "command": ["true"]}
    return {
        "kind": "WorkflowTemplate",
        "metadata": {"name": name, "namespace": "argo", "annotations": notes},
        "spec": {"entrypoint": version, "templates": [{"name": version, "container": container}]},
    }


def cron(name: str, schedule: str = "0 1 * * *", suffix: str = "") -> JSON:
    labels = {"app.kubernetes.io/part-of": "metaflow"}
    workflow = {"workflowTemplateRef": {"name": name}}
    return {
        "kind": "CronWorkflow",
        "metadata": {"name": name + suffix, "namespace": "argo", "labels": labels},
        "spec": {"schedules": [schedule], "workflowSpec": workflow},
    }


def sensor(name: str, event: str = "e", starts: str | None = None) -> JSON:
    workflow = {"metadata": {"generateName": "w-"}, "spec": {"workflowTemplateRef": {"name": starts or name}}}
    text = json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **workflow})
    k8s = {"operation": "create", "source": {"inline": text}}
    return {
        "kind": "Sensor",
        "metadata": {"name": name, "namespace": "argo"},
        "spec": {
            "dependencies": [{"name": event, "eventSourceName": "s", "eventName": event}],
            "triggers": [{"template": {"name": "t", "k8s": k8s}}],
        },
    }


def deploy(client: ArgoClient, name: str, *objects: JSON) -> Present:
    """Deploy objects and return what is there then."""
    apply(client, plan_deployment(look(client, name), objects))
    return look(client, name)


def look(client: ArgoClient, name: str) -> Present:
    return read(client, name, (name, "argo"))


def asked(present: Present) -> list[JSON]:
    """What somebody asked for in all that is there of a deployment."""
    crons = [each for each in present.crons if each["metadata"]["name"].startswith(present.name)]
    items = [*([present.template] if present.template else []), *crons, *present.sensors]
    return [
        {"metadata": {k: item["metadata"][k] for k in KEPT if k in item["metadata"]}, "spec": item["spec"]}
        for item in items
    ]


def test_a_refused_schedule_leaves_nothing_of_a_new_deployment(client: ArgoClient, name: str) -> None:
    with pytest.raises(ArgoError, match="malformed"):
        deploy(client, name, template(name, "one"), cron(name), cron(name, MALFORMED, "-2"))
    assert asked(look(client, name)) == []


def test_a_refused_schedule_leaves_the_older_version(client: ArgoClient, name: str) -> None:
    old = (template(name, "one", sensor=True), cron(name), cron(name, suffix="-old"), sensor(name))
    before = deploy(client, name, *old)
    new = (
        template(name, "two"),
        cron(name, "0 2 * * *"),
        cron(name, suffix="-1"),
        cron(name, MALFORMED, "-2"),
    )
    with pytest.raises(ArgoError, match="malformed"):
        deploy(client, name, *new)
    after = look(client, name)
    assert asked(after) == asked(before)
    assert len(asked(after)) == 4
    # It was replaced, not deleted and made anew.
    assert before.template is not None
    assert after.template is not None
    assert after.template["metadata"]["uid"] == before.template["metadata"]["uid"]


def test_what_was_deleted_is_there_again_when_the_end_is_refused(client: ArgoClient, name: str) -> None:
    old = (template(name, "one", sensor=True), cron(name), cron(name, suffix="-old"), sensor(name))
    before = deploy(client, name, *old)
    plan = plan_deployment(before, [template(name, "two"), cron(name, "0 2 * * *")])
    assert [change.action for change in plan.changes] == ["replace", "replace", "delete", "delete"]
    refused = plan_change(cron(name, MALFORMED, "-2"), None, name)
    with pytest.raises(ArgoError, match="malformed"):
        apply(client, Plan(name, (*plan.changes, refused)))
    assert asked(look(client, name)) == asked(before)


def test_a_template_that_somebody_wrote_meanwhile_is_not_overwritten(client: ArgoClient, name: str) -> None:
    stale = look(client, name)
    deploy(client, name, template(name, "one"))
    for version in ("two", "three"):  # a POST for what is there by now, a PUT for an older version
        before = look(client, name)
        with pytest.raises(ArgoConflict):
            apply(client, plan_deployment(stale, [template(name, "mine"), cron(name)]))
        assert asked(look(client, name)) == asked(before)
        stale = before
        deploy(client, name, template(name, version))


def test_what_others_wrote_meanwhile_to_a_cron_workflow_stays(client: ArgoClient, name: str) -> None:
    stale = deploy(client, name, template(name, "one"), cron(name))
    (found,) = [each for each in stale.crons if each["metadata"]["name"] == name]
    changed = {
        **found,
        "metadata": {**found["metadata"], "labels": {**found["metadata"]["labels"], "a": "b"}},
    }
    client.update_cron({**changed, "spec": {**found["spec"], "suspend": True}})
    apply(client, plan_deployment(stale, [template(name, "two"), cron(name, "0 2 * * *")]))
    now = client.cron(name)
    assert now["spec"]["schedules"] == ["0 2 * * *"]
    assert now["spec"]["suspend"] is True
    assert now["metadata"]["labels"]["a"] == "b"


def test_a_sensor_that_appeared_meanwhile_is_taken_if_it_is_ours(client: ArgoClient, name: str) -> None:
    stale = look(client, name)
    client.create_sensor(sensor(name))
    apply(client, plan_deployment(stale, [template(name, "one", sensor=True), sensor(name, "f")]))
    assert client.sensor(name, "argo")["spec"]["dependencies"][0]["name"] == "f"


def test_a_sensor_that_appeared_meanwhile_is_left_if_it_is_not(client: ArgoClient, name: str) -> None:
    stale = look(client, name)
    theirs = client.create_sensor(sensor(name, starts="another"))
    with pytest.raises(UsageError, match="which starts another"):
        apply(client, plan_deployment(stale, [template(name, "one", sensor=True), sensor(name)]))
    assert client.sensor(name, "argo") == theirs
    with pytest.raises(ArgoNotFound):
        client.template(name)


def test_what_is_gone_by_now_was_not_removed(client: ArgoClient, name: str) -> None:
    deploy(client, name, template(name, "one"), cron(name), sensor(name))
    there = with_left_sensor(client, read(client, name))
    assert len(there.sensors) == 1  # the template does not tell of it
    client.delete_cron(name)
    removed = remove(client, plan_removal(there))
    assert [change.kind for change in removed] == ["Sensor", "WorkflowTemplate"]
    assert asked(look(client, name)) == []
