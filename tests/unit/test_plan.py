"""What a change of a deployment does to each object at a server, told without a server."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from metaflow_hera.contract.manifest import USER_KEYS
from metaflow_hera.errors import UsageError
from metaflow_hera.operations.plan import Change, Plan, Present, plan_deployment, plan_removal

JSON = dict[str, Any]
FROM_FLOW = {"app.kubernetes.io/part-of": "metaflow"}


def template(version: str = "1", sensor: str | None = None, **metadata: Any) -> JSON:
    notes = {"metaflow/deployment_timestamp": version, **metadata.get("annotations", {})}
    if sensor is not None:
        notes |= {"metaflow/sensor_name": "flow", "metaflow/sensor_namespace": sensor}
    return {
        "kind": "WorkflowTemplate",
        "metadata": {"name": "flow", "namespace": "argo", **metadata, "annotations": notes},
        "spec": {"entrypoint": version},
    }


def cron(name: str = "flow", starts: str = "flow", hour: int = 1, **spec: Any) -> JSON:
    return {
        "kind": "CronWorkflow",
        "metadata": {"name": name, "namespace": "argo", "labels": dict(FROM_FLOW)},
        "spec": {
            "schedules": [f"0 {hour} * * *"],
            "workflowSpec": {"workflowTemplateRef": {"name": starts}},
            **spec,
        },
    }


def sensor(namespace: str = "argo", starts: str = "flow", event: str = "e") -> JSON:
    resource = {"spec": {"workflowTemplateRef": {"name": starts}}}
    return {
        "kind": "Sensor",
        "metadata": {"name": "flow", "namespace": namespace},
        "spec": {
            "dependencies": [{"name": event}],
            "triggers": [{"template": {"k8s": {"source": {"resource": resource}}}}],
        },
    }


def stored(item: JSON, version: str = "7", **metadata: Any) -> JSON:
    """An object as a server has it."""
    found = copy.deepcopy(item)
    del found["kind"]  # as in Argo's lists
    found["metadata"] |= {"resourceVersion": version, "uid": f"uid-{version}", "generation": 3, **metadata}
    return found


def present(*crons: JSON, sensors: tuple[JSON, ...] = (), at_server: JSON | None = None) -> Present:
    return Present("flow", "argo", at_server, crons, sensors)


def told(plan: Plan) -> list[tuple[str, str, str, str]]:
    return [(change.action, change.kind, change.name, change.namespace) for change in plan.changes]


def change_of(plan: Plan, kind: str) -> Change:
    (change,) = [change for change in plan.changes if change.kind == kind]
    return change


def test_a_new_deployment_is_created_and_its_undo_deletes_it_again() -> None:
    objects = [template(sensor="argo"), cron(), sensor()]
    plan = plan_deployment(present(), objects)
    assert told(plan) == [
        ("create", "WorkflowTemplate", "flow", "argo"),
        ("create", "CronWorkflow", "flow", "argo"),
        ("create", "Sensor", "flow", "argo"),
    ]
    assert [change.after for change in plan.changes] == objects
    # What starts runs goes before the template.
    assert told(plan.undo()) == [
        ("delete", "Sensor", "flow", "argo"),
        ("delete", "CronWorkflow", "flow", "argo"),
        ("delete", "WorkflowTemplate", "flow", "argo"),
    ]


def test_the_order_is_template_crons_sensor_whatever_that_of_the_objects() -> None:
    plan = plan_deployment(present(), [sensor(), cron(), template(sensor="argo")])
    assert [change.kind for change in plan.changes] == ["WorkflowTemplate", "CronWorkflow", "Sensor"]


def test_a_new_version_replaces_what_changes_and_keeps_what_does_not() -> None:
    there = present(stored(cron()), at_server=stored(template("1")))
    plan = plan_deployment(there, [template("2"), cron()])
    assert told(plan) == [
        ("replace", "WorkflowTemplate", "flow", "argo"),
        ("keep", "CronWorkflow", "flow", "argo"),
    ]
    assert [change.kind for change in plan.writes] == ["WorkflowTemplate"]
    (change,) = plan.writes
    assert change.after is not None
    assert (change.after["metadata"]["resourceVersion"], change.after["metadata"]["uid"]) == ("7", "uid-7")
    (undo,) = plan.undo().changes
    assert undo.action == "replace"
    # As it was, and without the version that is no longer the server's.
    assert undo.after is not None
    assert undo.after["spec"] == {"entrypoint": "1"}
    assert undo.after["metadata"] == template("1")["metadata"]


def test_what_others_gave_stays_and_what_an_older_version_had_goes() -> None:
    annotations = {
        "metaflow/owner": "ann",
        "metaflow/tags": "[]",
        "workflows.argoproj.io/description": "old",
        USER_KEYS: "team,note",
        "note": "of the older version",
        "kubectl.kubernetes.io/last-applied": "{}",
    }
    labels = {"team": "blue", "metaflow/owner": "ann", "argocd": "x"}
    before = stored(template("1", annotations=annotations, labels=labels))
    wanted = template("2", annotations={"metaflow/owner": "bob"}, labels={"metaflow/owner": "bob"})
    after = change_of(plan_deployment(present(at_server=before), [wanted]), "WorkflowTemplate").after
    assert after is not None
    assert after["metadata"]["labels"] == {"metaflow/owner": "bob", "argocd": "x"}
    assert after["metadata"]["annotations"] == {
        "metaflow/deployment_timestamp": "2",
        "metaflow/owner": "bob",
        "kubectl.kubernetes.io/last-applied": "{}",
    }
    assert "argocd" not in wanted["metadata"]["labels"]  # what is wanted stays what it was


def test_a_label_that_others_gave_is_no_change() -> None:
    labels = {**FROM_FLOW, "argocd": "x"}
    there = present(stored(cron(), labels=labels), at_server=stored(template("1")))
    assert change_of(plan_deployment(there, [template("2"), cron()]), "CronWorkflow").action == "keep"


@pytest.mark.parametrize("suspended", [True, False])
def test_a_cron_workflow_stays_suspended_and_only_then_is(suspended: bool) -> None:
    there = present(stored(cron(suspend=suspended)), at_server=stored(template("1")))
    change = change_of(plan_deployment(there, [template("2"), cron(hour=2)]), "CronWorkflow")
    assert change.action == "replace"
    assert change.after is not None
    assert change.after["spec"].get("suspend", False) is suspended
    assert "suspend" not in cron(hour=2)["spec"]


def test_cron_workflows_of_an_older_version_go_last() -> None:
    of_plugin = stored(cron())
    del of_plugin["metadata"]["labels"]  # Metaflow's own plugin gives none
    there = present(of_plugin, stored(cron("flow-1")), at_server=stored(template("1")))
    plan = plan_deployment(there, [template("2"), cron("flow-2")])
    assert told(plan) == [
        ("replace", "WorkflowTemplate", "flow", "argo"),
        ("create", "CronWorkflow", "flow-2", "argo"),
        ("delete", "CronWorkflow", "flow", "argo"),
        ("delete", "CronWorkflow", "flow-1", "argo"),
    ]
    assert told(plan.undo())[:2] == [
        ("create", "CronWorkflow", "flow-1", "argo"),
        ("create", "CronWorkflow", "flow", "argo"),
    ]


def test_cron_workflows_of_others_are_left_alone() -> None:
    by_hand = stored(cron("by-hand"))  # starts the template, and is part of no deployment
    del by_hand["metadata"]["labels"]
    others = [
        stored(cron("flow-of-another", starts="another")),
        stored(cron("third", starts="third")),
        by_hand,
    ]
    there = present(*others, at_server=stored(template("1")))
    assert [change.kind for change in plan_deployment(there, [template("2")]).changes] == ["WorkflowTemplate"]
    assert [change.kind for change in plan_removal(there).changes] == ["WorkflowTemplate"]


def test_a_sensor_appears_and_disappears() -> None:
    without = present(at_server=stored(template("1")))
    appears = plan_deployment(without, [template("2", sensor="argo"), sensor()])
    assert told(appears)[1:] == [("create", "Sensor", "flow", "argo")]
    there = present(sensors=(stored(sensor()),), at_server=stored(template("1", sensor="argo")))
    goes = plan_deployment(there, [template("2")])
    assert told(goes)[1:] == [("delete", "Sensor", "flow", "argo")]
    undo = goes.undo().changes[0]
    assert undo.action == "create"
    assert undo.after is not None
    assert undo.after["spec"] == sensor()["spec"]


def test_a_sensor_that_does_not_change_is_kept_and_one_that_does_is_replaced() -> None:
    there = present(sensors=(stored(sensor()),), at_server=stored(template("1", sensor="argo")))
    same = plan_deployment(there, [template("2", sensor="argo"), sensor()])
    assert told(same)[1:] == [("keep", "Sensor", "flow", "argo")]
    other = plan_deployment(there, [template("2", sensor="argo"), sensor(event="f")])
    assert told(other)[1:] == [("replace", "Sensor", "flow", "argo")]


def test_a_sensor_moves_to_another_namespace() -> None:
    there = present(sensors=(stored(sensor("events")),), at_server=stored(template("1", sensor="events")))
    plan = plan_deployment(there, [template("2", sensor="argo"), sensor("argo")])
    assert told(plan)[1:] == [
        ("create", "Sensor", "flow", "argo"),
        ("delete", "Sensor", "flow", "events"),
    ]


def test_what_starts_another_template_is_refused_in_place_of_replaced() -> None:
    with pytest.raises(
        UsageError, match=r"There is already a CronWorkflow flow, which starts another.*--name"
    ):
        plan_deployment(present(stored(cron(starts="another"))), [template(), cron()])
    with pytest.raises(UsageError, match="There is already a Sensor flow, which starts another"):
        plan_deployment(
            present(sensors=(stored(sensor(starts="another")),)), [template(sensor="argo"), sensor()]
        )
    broken = stored(sensor())
    broken["spec"]["triggers"] = [{"template": {"http": {"url": "https://example.com"}}}]
    with pytest.raises(UsageError, match="which starts others"):
        plan_deployment(present(sensors=(broken,)), [template(sensor="argo"), sensor()])


def test_a_sensor_that_starts_another_template_is_not_deleted() -> None:
    there = present(
        sensors=(stored(sensor(starts="another")),), at_server=stored(template("1", sensor="argo"))
    )
    assert [change.kind for change in plan_deployment(there, [template("2")]).changes] == ["WorkflowTemplate"]
    assert [change.kind for change in plan_removal(there).changes] == ["WorkflowTemplate"]


def test_a_removal_begins_with_what_starts_runs() -> None:
    there = present(
        stored(cron()),
        stored(cron("flow-1")),
        sensors=(stored(sensor("events")),),
        at_server=stored(template("1", sensor="events")),
    )
    assert told(plan_removal(there)) == [
        ("delete", "CronWorkflow", "flow", "argo"),
        ("delete", "CronWorkflow", "flow-1", "argo"),
        ("delete", "Sensor", "flow", "events"),
        ("delete", "WorkflowTemplate", "flow", "argo"),
    ]


def test_a_plan_changes_nothing_that_it_was_made_of() -> None:
    there = present(
        stored(cron(suspend=True)),
        sensors=(stored(sensor()),),
        at_server=stored(template("1", sensor="argo", labels={"a": "b"})),
    )
    wanted = [template("2", sensor="argo"), cron(hour=3), sensor(event="f")]
    before = copy.deepcopy((there, wanted))
    plan_deployment(there, wanted).undo()
    assert (there, wanted) == before
